"""Amounts: exact bounds, and rates by their day."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events import MAX_AMOUNT, MAX_AMOUNT_DECIMALS, Money
from stream.policy import PolicyError, RulesPolicy
from stream.policy.money import Bound, Rates
from stream.settings import Settings
from tests.policy.facts import judge, order

RATES = Rates.load()
SELLERS_CURRENCIES = tuple(
    "AED AUD BRL CAD EGP EUR GBP INR JPY MXN PLN SAR SEK SGD TRY USD ZAR".split()  # noqa: SIM905 - as in the file
)
"""Of Amazon's marketplaces."""


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


# --- Rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", SELLERS_CURRENCIES)
def test_every_marketplaces_currency_has_rates_since_2015(currency: str) -> None:
    for year in range(2015, 2027):
        for month in range(1, 13):
            assert RATES.on(currency, date(year, month, 1).toordinal()) is not None


@pytest.mark.parametrize(
    ("currency", "on", "rate"),
    [
        ("EUR", "1999-01-01", "1"),
        ("USD", "2014-12-31", None),
        ("USD", "2015-01-01", "1.2141"),
        ("USD", "2015-01-31", "1.2141"),
        ("USD", "2015-02-01", "1.1305"),
        ("GBP", "2026-11-25", "0.8338"),
        ("JPY", "2030-01-01", "175.68"),
        ("SAR", "2015-01-01", "4.55288"),
        ("EGP", "2026-06-01", "57.33"),
        ("XXX", "2026-01-01", None),
    ],
)
def test_the_rate_is_the_latest_not_after_the_day(currency: str, on: str, rate: str | None) -> None:
    assert RATES.on(currency, day(on)) == (None if rate is None else Decimal(rate))


def test_days_of_one_period_have_the_same_rates() -> None:
    assert RATES.period(day("2026-03-01")) == RATES.period(day("2026-03-31")) != RATES.period(day("2026-04-01"))


def test_the_central_banks_own_file(tmp_path: Path) -> None:
    file = tmp_path / "eurofxref-hist.csv"
    file.write_text("Date,USD,JPY,ROL,\n2026-03-03,1.25,160,N/A,\n2026-03-02,1.3,N/A,N/A,\n")
    rates = Rates.load(file)
    assert rates.currencies == {"EUR", "USD", "JPY"}
    assert rates.on("USD", day("2026-03-02")) == Decimal("1.3")
    assert rates.on("USD", day("2026-03-09")) == Decimal("1.25")
    assert rates.on("JPY", day("2026-03-02")) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there are no rates in it"),
        ("# nothing\n", "there are no rates in it"),
        ("Day,USD\n2026-01-01,1\n", "the first line must be `Date`"),
        ("Date,USD,USD\n", "the first line must be `Date` and then each currency once"),
        ("Date,usd\n", "`usd` is not an ISO 4217 code"),
        ("# x\nDate,USD\n2026-01-32,1\n", "line 3: `2026-01-32` is not a date"),
        ("Date,USD\n2026-01-01,1\n2026-01-01,1\n", "line 3: `2026-01-01` comes twice"),
        ("Date,USD\n2026-01-01,1,2,3\n", "line 2: `2026-01-01` is too long"),
        ("Date,USD\n2026-01-01,x\n", "line 2: `x` is not a rate of USD"),
        ("Date,USD\n2026-01-01,0\n", "line 2: `0` is not a rate of USD"),
        ("Date,USD\n2026-01-01,-1\n", "line 2: `-1` is not a rate of USD"),
        ("Date,USD\n2026-01-01,Infinity\n", "line 2: `Infinity` is not a rate of USD"),
    ],
)
def test_wrong_rates_are_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Rates.load(file)
    assert str(caught.value).startswith("rates.csv")
    assert problem in str(caught.value)
    with pytest.raises(PolicyError, match="cannot read rates file"):
        Rates.load(tmp_path / "none.csv")


def test_rates_can_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("Date,USD,JPY,AUD,GBP\n2024-01-01,1,100,2,0.5\n")
    policy = RulesPolicy.of(Settings(rates_file=str(file)))
    letter = {"ship_from": "GB", "ship_to": "FR", "carrier": "Royal Mail", "ship_method": "Letter"}
    assert judge(order("UK", "2026-01-01", "9.99 GBP", **letter), policy=policy).reason == "low_value_letter"
    assert judge(order("UK", "2026-01-01", "10 GBP", **letter), policy=policy).reason is None
    file.write_text("Date,USD\n2024-01-01,1\n")
    with pytest.raises(PolicyError, match=r"au\.toml.*`AUD` is no currency that has reference rates"):
        RulesPolicy.of(Settings(rates_file=str(file)))


# --- Bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["20 EUR", "> 20 EUR", ">= 20 EUR", "< -1 EUR", "< 20", "< 20 eur", "< 1e3 EUR", "< 1.1234567 EUR", "< ١ EUR"],
)
def test_what_is_no_bound(text: str) -> None:
    assert Bound.parse(text) is None


def amounts() -> st.SearchStrategy[Decimal]:
    return st.integers(0, int(MAX_AMOUNT) * 10**MAX_AMOUNT_DECIMALS - 1).map(lambda n: Decimal(f"{n}E-6"))


@given(
    st.sampled_from(["<", "<="]),
    st.integers(0, 10**15).map(lambda n: Decimal(f"{n}E-6")),
    st.sampled_from(SELLERS_CURRENCIES),
    st.sampled_from(SELLERS_CURRENCIES),
    st.dates(date(2015, 1, 1), date(2027, 1, 1)),
    amounts(),
    st.integers(-2, 2),
)
def test_the_limit_is_the_bound_exactly(
    sign: str, bound_amount: Decimal, own: str, other: str, on: date, amount: Decimal, steps: int
) -> None:
    bound = Bound.parse(f"{sign} {bound_amount:f} {own}")
    assert bound is not None
    limit = bound.limit(other, on.toordinal(), RATES)
    assert limit is not None
    near = max(Decimal(0), limit + Decimal(steps).scaleb(-MAX_AMOUNT_DECIMALS))
    for each in (amount, near):
        assert (each < limit) == bound.holds(Money(each, other), on.toordinal(), RATES)


def test_an_unknown_currency_keeps_to_no_bound() -> None:
    bound = Bound("<", Decimal(20), "EUR")
    assert bound.limit("XXX", day("2026-01-01"), RATES) is None
    assert bound.limit(None, day("2026-01-01"), RATES) is None
    assert bound.holds(Money(Decimal(1), "XXX"), day("2026-01-01"), RATES) is None
    assert bound.limit("EUR", day("2001-01-01"), RATES) == 20, "the same currency needs no rate"

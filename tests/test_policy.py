"""The standard policy, by worked examples."""

from fractions import Fraction

import pytest
from msgspec.structs import replace

from stream.policy import Outcome, StandardPolicy, Verdict
from stream.settings import Settings
from stream.shipment import ScanFact, ShippedFact, TrackingFact

GRACE = 24
POLICY = StandardPolicy(Fraction(95, 100), GRACE)
NUMBER = "00340434161094042557"

PARCEL = ShippedFact(1, "e", "028-1", "DE", "Home", "merchant", "DHL", "Paket", "24.90", "EUR", "DE", "FR", 0, 0)
LETTER = replace(PARCEL, ship_method="Brief", amount="19.99")
TRACKING = TrackingFact(2, "e", "DHL", NUMBER, 0)

VALID = Verdict(Outcome.VALID)
CHEAP_LETTER = Verdict(Outcome.EXEMPT, "low_value_letter")

NINE = ["DE", "FR", "IT", "ES", "NL", "PT", "PL", "AT", "SE"]
OTHERS = ["GB", "US", "CH", "BE", "JP"]


def judge(shipped: ShippedFact, tracking: TrackingFact | None = TRACKING) -> Verdict:
    return POLICY.judge(shipped, tracking, ())


# --- What counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "exempt"),
    [("0", True), ("19.99", True), ("19.999999", True), ("20", False), ("20.00", False), ("20.01", False)],
)
def test_a_letter_is_exempt_below_20_eur(amount: str, exempt: bool) -> None:
    assert judge(replace(LETTER, amount=amount)) == (CHEAP_LETTER if exempt else VALID)


@pytest.mark.parametrize("country", NINE)
@pytest.mark.parametrize("other", OTHERS)
def test_a_letter_is_exempt_to_and_from_nine_countries(country: str, other: str) -> None:
    assert judge(replace(LETTER, ship_from=country, ship_to=other)) == CHEAP_LETTER
    assert judge(replace(LETTER, ship_from=other, ship_to=country)) == CHEAP_LETTER


@pytest.mark.parametrize(("origin", "destination"), [("GB", "US"), ("CH", "BE")])
def test_a_letter_between_other_countries_counts(origin: str, destination: str) -> None:
    assert judge(replace(LETTER, ship_from=origin, ship_to=destination)) == VALID


@pytest.mark.parametrize("country", [*NINE, *OTHERS])
def test_a_domestic_letter_counts(country: str) -> None:
    assert judge(replace(LETTER, ship_from=country, ship_to=country)) == VALID


@pytest.mark.parametrize(
    "counting",
    [
        replace(LETTER, currency="GBP"),
        replace(LETTER, currency="SEK", amount="0.01"),
        replace(LETTER, amount=None, currency=None),
        replace(LETTER, ship_from=None),
        replace(LETTER, ship_to=None),
        replace(LETTER, ship_method="Paket"),
        replace(LETTER, ship_method=None),
    ],
    ids=["other currency", "other currency, less", "no value", "no origin", "no destination", "parcel", "no method"],
)
def test_what_is_not_known_to_be_a_cheap_letter_abroad_counts(counting: ShippedFact) -> None:
    assert judge(counting) == VALID
    assert judge(counting, None).outcome is Outcome.AWAITING


@pytest.mark.parametrize("shipped", [PARCEL, LETTER, replace(PARCEL, carrier=None)])
@pytest.mark.parametrize("tracking", [None, TRACKING, replace(TRACKING, number="N/A")])
def test_what_the_marketplace_fulfils_is_exempt(shipped: ShippedFact, tracking: TrackingFact | None) -> None:
    verdict = judge(replace(shipped, fulfilled_by="marketplace"), tracking)
    assert verdict == Verdict(Outcome.EXEMPT, "marketplace_fulfilled")


# --- What is valid ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracking", [None, TrackingFact(2, "e", None, None, 0)], ids=["never given", "removed"])
@pytest.mark.parametrize(
    ("carrier", "named"), [("DHL", "DHL"), (" GLS ", "GLS"), (" ", None), ("", None), (None, None)]
)
def test_without_a_number_a_shipment_awaits_one(
    tracking: TrackingFact | None, carrier: str | None, named: str | None
) -> None:
    assert judge(replace(PARCEL, carrier=carrier), tracking) == Verdict(
        Outcome.AWAITING, "no_tracking", named, grace_hours=GRACE
    )


def test_the_carrier_of_the_upload_comes_first() -> None:
    assert judge(PARCEL, replace(TRACKING, carrier="UPS", number=None)).carrier == "UPS"


@pytest.mark.parametrize("nothing", [None, "", " \t"])
def test_a_number_without_carrier(nothing: str | None) -> None:
    without = replace(TRACKING, carrier=nothing)
    assert judge(PARCEL, without) == VALID, "the carrier of the order-shipped event stands in"
    assert judge(replace(PARCEL, carrier=nothing), without) == Verdict(Outcome.DEFECT, "no_carrier")
    assert judge(replace(PARCEL, carrier=nothing)) == VALID


@pytest.mark.parametrize("number", ["N/A", "028-1", "0000000"])
def test_a_placeholder(number: str) -> None:
    assert judge(PARCEL, replace(TRACKING, number=number)) == Verdict(Outcome.DEFECT, "placeholder_number", "DHL")
    verdict = judge(replace(PARCEL, carrier=None), replace(TRACKING, number=number, carrier=None))
    assert verdict == Verdict(Outcome.DEFECT, "no_carrier"), "one reason, the first to repair"


def test_scans_change_nothing() -> None:
    scan = ScanFact(3, "e", "delivered", "DHL", NUMBER, 0)
    assert POLICY.judge(PARCEL, TRACKING, (scan,)) == VALID
    assert POLICY.judge(PARCEL, None, (scan,)) == judge(PARCEL, None)


# --- What scopes are held to -----------------------------------------------------------------------------------------


def test_the_standard_is_that_of_the_settings_everywhere_and_always() -> None:
    policy = StandardPolicy.of(Settings(grace_hours=7))
    assert {policy.standard(marketplace, hour) for marketplace in (None, "DE", "UK") for hour in (0, 500_000)} == {
        (Fraction(19, 20), "amazon-2025-01-15")
    }
    assert policy.judge(PARCEL, None, ()).grace_hours == 7

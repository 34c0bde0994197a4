"""What passes, what does not, and that the hot path and the explanation never disagree."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream import tracking
from stream.simulator.carriers import LETTERS, PARCELS, Carrier
from stream.tracking import explain_number, number_problem, resolve_carrier
from stream.tracking.carriers import known_carriers
from stream.tracking.numbers import compact

ORDER = "028-1234567-7654321"
UPS = "1Z5R89390357567127"
DHL = "00340433836442636597"

SIMULATED = [carrier for of in PARCELS.values() for carrier in of.options] + list(LETTERS.values())

KEYS = [None, *known_carriers().carriers]


def known(key: str | None) -> tracking.Carrier | None:
    return None if key is None else known_carriers().carriers[key]


def problem(number: str, carrier: str, order_id: str = ORDER) -> str | None:
    it = resolve_carrier(carrier)
    assert it is not None
    return number_problem(number, it, order_id)


@pytest.mark.parametrize(
    ("number", "carrier"),
    [
        ("1Z 5R8 939 03 5756 7127", "UPS"),
        ("1z5r89390357567127", "UPS"),
        ("'1Z5R89390357567127", "UPS"),
        ("1Z5R89390357567127\n", "UPS"),
        ("1Z5R8939\u200b0357567127", "UPS"),
        ("1Z5R8939\u00a00357567127", "UPS"),
        ("0034 0433 8364 4263 6597", "DHL"),
        ("(00) 3 4043383644263659 7", "DHL"),
        ("00.340433.836442636597", "DHL"),
        ("201–298–452277", "DHL"),
        ("RR 123 456 785 DE", "DHL"),
        ("405-548-424-886", "Japan Post"),
        ("４０５５－４８４２－４８８６", "Japan Post"),
        ("rb123456785cn", "China Post"),
        ("1LS7119013618127-1", "OnTrac"),
        ("9400 1112 0620 6406 2607 87", "UPS"),
        ("3318810025", "DHL"),
    ],
)
def test_print_and_habits_are_forgiven(number: str, carrier: str) -> None:
    assert problem(number, carrier) is None


@pytest.mark.parametrize(
    ("number", "carrier"),
    [
        ("1Z5R89390357567128", "UPS"),
        ("1Z5R8939O357567127", "UPS"),
        ("lZ5R89390357567127", "UPS"),
        ("5R89390357567127", "UPS"),
        ("1Z5R893903575671277", "UPS"),
        ("1Z5R8939+0357567127", "UPS"),
        ("1Z5R89390357567127,1Z879E930346834440", "UPS"),
        ("https://www.ups.com/track?tracknum=1Z5R89390357567127", "UPS"),
        ("00340433836442636598", "DHL"),
        ("OO340433836442636597", "DHL"),
        ("3.40434E+17", "DHL"),
        ("DHL", "DHL"),
        ("Brief", "DHL"),
        ("RR123456786DE", "DHL"),
        ("RB123456785XX", "India Post"),
        ("98657878885", "FedEx"),
        ("444413758704", "Yamato"),
        ("", "UPS"),
    ],
)
def test_what_is_not_the_carriers(number: str, carrier: str) -> None:
    assert problem(number, carrier) in ("malformed_number", "placeholder_number")


@pytest.mark.parametrize("number", ["123456", "A1B2C3", "ZBH2FY7Q", "9" * 39 + "1", "wu 123-456.789/x"])
def test_an_unknown_carriers_number_need_only_be_plausible(number: str) -> None:
    assert number_problem(f"7{number}"[:40], None, ORDER) is None


@pytest.mark.parametrize("number", ["12345", "shipped", "9" * 40 + "1", "wörld123", "12345#679", "7,234,567"])
def test_what_no_carrier_prints(number: str) -> None:
    assert number_problem(number, None, ORDER) == "malformed_number"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("number", ["N/A", ORDER, ORDER.replace("-", ""), "000000000000", "1234567890", "123456789012"])
def test_placeholders_are_named_for_every_carrier(number: str, key: str | None) -> None:
    assert number_problem(number, known(key), ORDER) == "placeholder_number"


@pytest.mark.parametrize("carrier", SIMULATED, ids=lambda it: f"{it.label} {it.method}")
def test_what_the_simulator_prints_passes(carrier: Carrier) -> None:
    it = resolve_carrier(carrier.name)
    numbers = [
        carrier.number(account, serial * 7919 % 10**7)
        for account in (100_001, 123_456, 181_100, 999_999)
        for serial in range(200)
    ]
    assert [number for number in numbers if number_problem(number, it, ORDER)] == []


NUMBERS = st.one_of(
    st.text(max_size=45),
    st.text("0123456789", max_size=36),
    st.text("0123456789OIlABZz -./", max_size=25),
    st.from_regex(r"(1Z|JJD|00|9[1-5]|420|RR|C|TBA)[0-9]{8,20}(DE|US)?", fullmatch=True),
    st.sampled_from([UPS, DHL, ORDER, "N/A"]),
)


@given(NUMBERS, st.sampled_from(KEYS), st.sampled_from([ORDER, "", "ß-1", "1"]) | st.text(max_size=20))
@example("ŉ\u0390ﬁ", None, "")
@example("\ud800", None, "\ud800")
@example("Zz", None, "")
def test_the_explanation_has_the_same_verdict_and_nothing_raises(number: str, key: str | None, order_id: str) -> None:
    verdict = number_problem(number, known(key), order_id)
    report = explain_number(number, known(key), order_id)
    assert report.problem == verdict
    assert report.sentence.endswith(".")
    assert (report.check_digit_expected is None) == (report.check_digit_found is None)


@given(NUMBERS, st.sampled_from(KEYS))
def test_case_and_spaces_never_matter(number: str, key: str | None) -> None:
    plain = compact(number)
    if plain.isascii():
        verdict = number_problem(plain, known(key), "")
        for spelling in (plain.lower(), " ".join(plain), "-".join(plain)):
            assert number_problem(spelling, known(key), "") == verdict

"""What a report says, so that a seller knows what to mend."""

import msgspec
import pytest

from stream.tracking import NumberReport, explain_number, resolve_carrier

ORDER = "028-1234567-7654321"


def explain(number: str, carrier: str | None) -> NumberReport:
    return explain_number(number, None if carrier is None else resolve_carrier(carrier), ORDER)


def test_a_right_check_digit() -> None:
    assert explain("1z 5r89 3903 5756 7127", "UPS Ground") == NumberReport(
        number="1z 5r89 3903 5756 7127",
        compact="1Z5R89390357567127",
        carrier="UPS",
        problem=None,
        sentence="A number of UPS (1Z), and its check digit is right.",
        certainty="check digit",
        format="1Z",
        check_digit_expected="7",
        check_digit_found="7",
    )


def test_a_wrong_check_digit() -> None:
    report = explain("1Z5R89390357567128", "UPS")
    assert report.problem == "malformed_number"
    assert report.certainty == "check digit"
    assert (report.check_digit_expected, report.check_digit_found) == ("7", "8")
    assert report.sentence == "A number of UPS (1Z) would have the check digit 7, not 8."
    assert report.probable_error is None


@pytest.mark.parametrize(
    ("number", "carrier", "meant", "error"),
    [
        ("1Z5R8939O357567127", "UPS", "1Z5R89390357567127", "A letter stands in the place of a digit: O for 0."),
        (
            "lZ5R8939O357567127",
            "UPS",
            "1Z5R89390357567127",
            "A letter stands in the place of a digit: L for 1, O for 0.",
        ),
        ("OO340433836442636597", "DHL", "00340433836442636597", "A letter stands in the place of a digit: O for 0."),
        ("RRI2345678SDE", "DHL", None, None),
        ("RRI23456785DE", "DHL", "RR123456785DE", "A letter stands in the place of a digit: I for 1."),
        ("340433836442636597", "DHL", "00340433836442636597", "Zeros are missing at the start"),
        ("3.40434E+17", "DHL", None, "A spreadsheet has rounded the number"),
        ("https://www.ups.com/track?tracknum=1Z5R89390357567127", "UPS", "1Z5R89390357567127", "other text around"),
        ("1Z5R89390357567127, 1Z879E930346834440", "UPS", None, "There are several numbers in the place of one."),
        ("1Z5R8939035756712", "UPS", None, None),
    ],
)
def test_the_probable_error(number: str, carrier: str, meant: str | None, error: str | None) -> None:
    report = explain(number, carrier)
    assert report.suggestion == meant
    assert (report.probable_error or "") == "" if error is None else error in (report.probable_error or "")
    if meant is not None:
        assert explain(meant, carrier).certainty == "check digit"


@pytest.mark.parametrize(
    ("number", "carrier", "certainty", "says"),
    [
        ("YT2229521272164446", "Yun Express", "format", "no check digit that is known"),
        ("YT222952127216444", "Yun Express", "plausible", "no published form of Yun Express says more"),
        ("4PX3001291278502CN", "4PX", "plausible", "no published form of 4PX says more"),
        ("00340433836442636597", None, "plausible", "carrier is not known"),
    ],
)
def test_what_the_verdict_rests_on(number: str, carrier: str | None, certainty: str, says: str) -> None:
    report = explain(number, carrier)
    assert report.problem is None
    assert report.certainty == certainty
    assert says in report.sentence


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("abc", "3 characters, fewer than 6"),
        ("1" + "2" * 40, "41 characters, more than 40"),
        ("wörld123", "neither letters A to Z nor digits"),
        ("shipped", "it has no digit"),
    ],
)
def test_why_a_number_is_not_even_plausible(number: str, says: str) -> None:
    report = explain(number, None)
    assert report.problem == "malformed_number"
    assert says in report.sentence


def test_other_carriers_that_it_looks_like() -> None:
    report = explain("1Z5R89390357567127", "FedEx")
    assert report.problem == "malformed_number"
    assert report.sentence == "None of the forms that FedEx prints fits."
    assert report.looks_like == ("UPS",)
    assert {"DHL", "FedEx"} <= set(explain("00340433836442636597", "Yun Express").looks_like)
    assert explain("1Z5R89390357567127", "UPS").looks_like == ()


def test_a_placeholder() -> None:
    report = explain("n/a", "UPS")
    assert report.problem == "placeholder_number"
    assert report.looks_like == ()


def test_a_report_is_a_value_that_can_be_sent() -> None:
    report = explain("1Z5R89390357567127", "UPS")
    assert msgspec.json.decode(msgspec.json.encode(report), type=NumberReport) == report
    with pytest.raises(AttributeError):
        report.problem = None  # type: ignore[misc]

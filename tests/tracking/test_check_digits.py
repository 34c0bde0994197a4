"""Check digits against numbers that carriers and standards have published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.tracking.check_digits import ALGORITHMS, fedex, iso7064_mod37_36, luhn, mod7, mod10, s10

DIGITS = st.text("0123456789", min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("0034043383644263659", "7"),  # DHL Paket
        ("629104150021", "3"),  # GS1's example of a GTIN-13
        ("37610425002123456", "9"),  # GS1's example of an SSCC
        ("940011120620640626078", "7"),  # USPS
        ("007393800054929", "7"),  # Canada Post
        ("0", "0"),
    ],
)
def test_gs1(text: str, check: str) -> None:
    assert ALGORITHMS["gs1"].make(())(text) == check


@pytest.mark.parametrize(
    ("text", "check"), [("5R8939035756712", "7"), ("999AA1012345678", "4"), ("XX3150YW4407002", "3")]
)
def test_ups(text: str, check: str) -> None:
    assert ALGORITHMS["ups"].make(())(text) == check


@pytest.mark.parametrize(
    ("weights", "text", "check"),
    [
        ((4, 9), "20129845227", "7"),  # Identcode of Deutsche Post
        ((4, 9), "56310243031", "3"),
        ((2, 1), "C1103150000187", "9"),  # OnTrac
        ((1,), "1234", "0"),
        ((1, 2, 3), "123456", "2"),  # 6·1 + 5·2 + 4·3 + 3·1 + 2·2 + 1·3 = 38
    ],
)
def test_mod10_with_other_weights(weights: tuple[int, ...], text: str, check: str) -> None:
    assert mod10(weights)(text) == check


@pytest.mark.parametrize(
    ("text", "check"), [("7992739871", "3"), ("33334315099", "6"), ("32059546393", "8"), ("0", "0")]
)
def test_luhn(text: str, check: str) -> None:
    assert luhn(text) == check


@pytest.mark.parametrize(
    ("text", "check"), [("47312482", "9"), ("12345678", "5"), ("28704377", "5"), ("88209590", "5")]
)
def test_s10(text: str, check: str) -> None:
    assert s10(text) == check


@given(st.text("0123456789", min_size=8, max_size=8))
def test_s10_is_the_standards_formula(text: str) -> None:
    total = sum(int(digit) * weight for digit, weight in zip(text, (8, 6, 4, 2, 3, 5, 9, 7), strict=True))
    check = 11 - total % 11
    assert s10(text) == str({10: 0, 11: 5}.get(check, check))


@pytest.mark.parametrize(
    ("text", "check"),
    [("98657878885", "5"), ("47717908123", "0"), ("97436766271", "0"), ("0077901797269", "7"), ("0078545823361", "0")],
)
def test_fedex(text: str, check: str) -> None:
    assert fedex(text) == check


@pytest.mark.parametrize(
    ("text", "check"), [("331881002", "5"), ("576515996", "0"), ("44441375870", "3"), ("1311238385", "2")]
)
def test_mod7(text: str, check: str) -> None:
    assert mod7(text) == check


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("09980000020033", "F"),  # DPD
        ("09980000020034", "D"),
        ("01015026003653", "C"),
        ("008182709980000020033350276", "C"),
        ("A12425GABC1234002", "M"),  # the example of ISO/IEC 7064 that the music industry's GRid quotes
    ],
)
def test_iso7064_mod37_36(text: str, check: str) -> None:
    assert iso7064_mod37_36(text) == check


@given(DIGITS, st.data())
def test_gs1_finds_every_wrong_digit(text: str, data: st.DataObject) -> None:
    gs1 = ALGORITHMS["gs1"].make(())
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != text[place]))
    assert gs1(text) != gs1(text[:place] + other + text[place + 1 :])


@given(DIGITS)
def test_every_check_is_one_character(text: str) -> None:
    for name, algorithm in ALGORITHMS.items():
        given = text[:8].rjust(8, "0") if name == "s10" else text
        assert len(algorithm.make((3, 1) if algorithm.weights else ())(given)) == 1

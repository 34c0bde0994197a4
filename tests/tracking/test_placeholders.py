"""What is typed where a tracking number should stand, and what really is one."""

import pytest

from stream.simulator import tracking_numbers
from stream.simulator.tracking_numbers import TrackingNumber, s10
from stream.tracking import is_placeholder

ORDER = "028-1234567-7654321"

CARRIERS: dict[str, TrackingNumber] = {
    "DHL": tracking_numbers.dhl,
    "UPS": tracking_numbers.ups,
    "DPD": tracking_numbers.dpd,
    "Hermes": tracking_numbers.hermes,
    "Evri": tracking_numbers.evri,
    "GLS": tracking_numbers.gls,
    "Colissimo": tracking_numbers.colissimo,
    "BRT": tracking_numbers.brt,
    "Correos Express": tracking_numbers.correos_express,
    "USPS": tracking_numbers.usps,
    "FedEx": tracking_numbers.fedex,
    "PostNL": tracking_numbers.postnl,
    "InPost": tracking_numbers.inpost,
    "Deutsche Post": s10("RR", "DE"),
    "Royal Mail": s10("QA", "GB"),
}


def spelled(text: str) -> list[str]:
    return [text, text.lower(), text.upper(), f" {text} ", f"({text})", "-".join(text)]


@pytest.mark.parametrize(
    "word", ["N/A", "none", "null", "nil", "no", "unknown", "tbd", "TBA", "pending", "no tracking", "untracked", "test"]
)
def test_words(word: str) -> None:
    assert [number for number in spelled(word) if not is_placeholder(number, ORDER)] == []


@pytest.mark.parametrize("filler", ["0", "x", "000000000000", "11111111111111", "xxxx", "Ⅷ", "٣٣٣"])
def test_one_character_repeated(filler: str) -> None:
    assert [number for number in spelled(filler) if not is_placeholder(number, ORDER)] == []


@pytest.mark.parametrize("filler", ["123456", "0123456789", "1234567890", "12345678901234567890", "01234567890123"])
def test_the_digits_in_the_order_of_the_keys(filler: str) -> None:
    assert [number for number in spelled(filler) if not is_placeholder(number, ORDER)] == []


@pytest.mark.parametrize("number", ["", " ", "-", "---", "?", "///", "…", "\0"])
def test_no_character_at_all(number: str) -> None:
    assert is_placeholder(number, ORDER)


@pytest.mark.parametrize("order_id", [ORDER, "AB-12/c", "ß-1", "12", "O 1"])
def test_the_order_id(order_id: str) -> None:
    assert [number for number in spelled(order_id) if not is_placeholder(number, order_id)] == []
    assert is_placeholder(order_id.replace("-", ""), order_id)


@pytest.mark.parametrize("order_id", ["", "-", "1", "O" * 1000])
def test_a_strange_order_id_makes_no_number_a_placeholder(order_id: str) -> None:
    assert not is_placeholder("00340434161094042557", order_id)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_real_numbers(carrier: str) -> None:
    # Accounts and parcels far apart, with and without many zeros.
    numbers = [
        CARRIERS[carrier](account, serial)
        for account in (1, 1000, 111_112, 123_456, 473_124, 987_654)
        for serial in (0, 1, 10, 1_111_111, 4_731_248, 9_999_999)
    ]
    wrong = [number for real in numbers for number in spelled(real) if is_placeholder(number, ORDER)]
    assert wrong == []


@pytest.mark.parametrize(
    "number",
    [
        "1Z999AA10123456784",
        "JJD000390007882823478",
        "RB 123 456 785 DE",
        "LA123456789FR",
        "0000000000001",
        "1000000000000",
        "TEST1",
        "123456785",
        "1234567891",
        "12345",
        "RB123456785GB",
        "NA123456785GB",
        "none0",
        "nonono",
        f"{ORDER}-1",
        ORDER[:-1],
        "7654321",
    ],
)
def test_numbers_that_look_like_placeholders(number: str) -> None:
    assert not is_placeholder(number, ORDER)

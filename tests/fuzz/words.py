"""What inputs are made of: pieces of JSON, texts, numbers and times that programs trip over."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

Raw = bytes
"""A piece of JSON as it is written, right or wrong."""

TEXTS = [
    *("", " ", "\t", "A1", "a1", "A1 ", "NULL", "null", "N/A", "0", "-", "--", "'", '"', "\\", "/", "%s", "{}", "[]"),
    *("\0", "\x00A1", "\x1b[2J", "\r\n", "\u2028", "\u200b", "\u202eA1", "\ufeff", "\ufeffDHL", "\U0010ffff", "\uffff"),
    *("ß", "ﬁ", "İ", "ı", "ſ", "K", "Å", "é", "e\u0301", "Ǆ", "ΰ", "ᾳ", "\u0345", "\u0301" * 40, "क्षि", "한"),
    *("📦", "👩‍👩‍👧‍👦", "🇩🇪", "📦" * 256, "١٢٣٤٥٦", "²³¹", "①②③", "Ⅷ", "一二三", "𝟘𝟙𝟚", "½", "৪", "１２３"),
    *("x" * 255, "x" * 256, "x" * 257, "x" * 64, "x" * 65, "x" * 1024, "x" * 1025, "ß" * 1024, "1" * 300),
    *("DE", "de", "UK", "GB", "A1PA6795UKMFR9", "XX", "EUR", "XAU", "eur", "order-shipped", "delivered", "merchant"),
    *("__proto__", "constructor", "$.type", "`$.type`", "missing required field", "a" * 600 + "`$.type`"),
]

NUMBERS: list[Raw] = [
    *(b"0", b"-0", b"1", b"-1", b"1.5", b"1e5", b"1E+400", b"-1e400", b"1e-400", b"1e99999999999", b"0.1e-7"),
    *(b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"-9223372036854775809"),
    *(b"1" * 40, b"9" * 400, b"9" * 5000, b"0." + b"0" * 5000 + b"1", b"1." + b"3" * 60, b"01", b"+1", b".5", b"1."),
    *(b"NaN", b"Infinity", b"-Infinity", b"nan", b"0x10", b"1_000", b"--1", b"1e", b"\xef\xbc\x91"),
]

BROKEN: list[Raw] = [
    *(b"", b"nul", b"undefined", b"'x'", b"\xff", b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\udc00x"'),
    *(b'"\\ud83d\\ud83d"', b'"\\u00"', b'"\\x41"', b'"\n"', b'"\x00"', b'"unended', b"//x", b"/**/1", b"{,}", b"[1,]"),
    *(b'{"a":1,"a":2}', b'{"a"}', b"{1:2}", b'"\\u0000"', b'"\\ud83d\\udce6"', b'"\xf4\x90\x80\x80"', b'"\xc0\x80"'),
]

AMOUNTS = [
    *("0", "-0", "0.00", "24.90", "19.99", "20.00", "999999999999.999999", "1E+11", "1E+12", "1e-6", "1e-7", "1e-0"),
    *("NaN", "sNaN", "sNaN123", "-Infinity", "Infinity", "1e999999999", "1e-999999999", "0e999999999", "0E-20"),
    *("1" * 40, "0" * 5000 + "1", "1." + "0" * 5000, "1_0", " 1", "1 ", "１", "١", "", ".", "1.", "0x1", "24,90", "²"),
]

CURRENCIES = ["EUR", "GBP", "USD", "JPY", "XXX", "eur", "EU", "EURO", "ÄÖÜ", "ΕUR", "E R", "\0\0\0", ""]

TRACKING = [
    *("00340434161094042557", "1Z999AA10123456784", "JD014600006281230704", "RR123456785DE", "9400111899223197428490"),
    *(
        "003404341610940425",
        "1z 999 aa1 01 2345 6784",
        "ＲＲ１２３４５６７８５ＤＥ",
        "١٢٣٤٥٦٧٨٩٠١٢",
        "²²²²²²²²²²²²",
        "(00)3404341",
    ),
    *(
        "ΙΖ999AA10123456784",
        "O0340434161094042557",
        "OILOILOILOIL",
        "IIIIII",
        "LLLLLLLLLLLLLLLLLLLLL",
        "0000000000",
        " NULL ",
    ),
    *(
        "123456789012",
        "１２３４５６",
        "0-0-0-0-0-0",
        "......",
        "-",
        "\u200b\u200b",
        "ſſſſſſ1",
        "ﬀﬀﬀﬀ1234",
        "İİİİİİİİ1",
        "ß12345678",
    ),
]

CARRIERS = [
    *(
        "DHL",
        "dhl",
        "D H L",
        "UPS",
        "Royal Mail",
        "RoyalMail24",
        "GLS",
        "Hermes",
        "USPS",
        "Deutsche Post",
        "Other",
        "FedEx",
    ),
    *(
        "İDHL",
        "ＤＨＬ",
        "D\u0301H\u0301L",
        "DHL\0",
        "📦 Express",
        "ß",
        "²",
        "a" * 256,
        "A" * 201,
        "aB" * 100,
        "1" * 256,
    ),
]

METHODS = [
    "Paket",
    "Brief",
    "brief ",
    "Warenpost",
    "Standard",
    "Large Letter",
    "*",
    "[",
    "[!]",
    "?",
    "ﬀ",
    "İ" * 50,
    " " * 256,
]

PLACES = ["DE", "FR", "GB", "UK", "uk", " de ", "US", "CN", "XK", "XX", "Germany", "ＤＥ", "ß", "ﬁ", "d\u0131", "", " "]

OFFSETS = [
    *("Z", "z", "+00:00", "-00:00", "+01:00", "+0100", "+14:00", "-12:00", "+23:59", "-23:59", "+24:00", "+00:60"),
    *("+05:30:15", "", " Z", "UTC", "+99:99", "-00:01", "+1:00", "Europe/Berlin", "[UTC]", "ZZ"),
]

TIMES = [
    *("0000-01-01T00:00:00", "0001-01-01T00:00:00", "0001-01-01T23:59:59.999999", "9999-12-31T23:59:59.999999"),
    *(
        "9999-12-31T00:00:00",
        "10000-01-01T00:00:00",
        "-001-01-01T00:00:00",
        "1969-12-31T23:59:59",
        "1970-01-01T00:00:00",
    ),
    *(
        "2000-01-01T00:00:00",
        "1999-12-31T23:59:59.999999",
        "2016-12-31T23:59:60",
        "2026-11-25T23:59:60",
        "2026-02-29T00:00:00",
    ),
    *(
        "2024-02-29T12:00:00",
        "2026-11-25T24:00:00",
        "2026-13-01T00:00:00",
        "2026-11-25 12:00:00",
        "2026-11-25t12:00:00",
    ),
    *("2026-11-25", "20261125T120000", "2026-11-25T12:00", "2026-W48-3T12:00:00", "2026-11-25T12:00:00.999999999"),
    *("2026-11-25T12:00:00.9999999", "2026-11-25T12:00:00,5", "2262-04-11T23:47:16.854775807", "2038-01-19T03:14:08"),
]

EDGES = [
    *(timedelta(0), timedelta(hours=1), timedelta(hours=1, microseconds=1), timedelta(days=1), timedelta(days=-30)),
    *(
        timedelta(hours=-720),
        timedelta(days=-40),
        timedelta(days=-41),
        timedelta(days=-39, hours=-23),
        timedelta(days=31),
    ),
    *(timedelta(days=366), timedelta(days=-366), timedelta(days=366, seconds=1), timedelta(days=-366, seconds=-1)),
    *(timedelta(days=90), timedelta(hours=-24), timedelta(hours=-25), timedelta(microseconds=-1)),
]


def text(value: str) -> Raw:
    """A JSON string, half of the time as it is and half with everything escaped."""
    return json.dumps(value, ensure_ascii=len(value) % 2 == 0).encode(errors="surrogatepass")


def instant(at: datetime) -> str:
    """A time as producers write it."""
    return at.isoformat().replace("+00:00", "Z")


def any_time(random: Random, now: datetime) -> str:
    """A time near an edge of something, or one that is none."""
    if random.random() < 0.4:
        return random.choice(TIMES) + random.choice(OFFSETS)
    at = now + random.choice(EDGES) + random.choice([timedelta(0), timedelta(0), timedelta(seconds=-1)])
    if random.random() < 0.5:
        return instant(at)
    return at.replace(tzinfo=None).isoformat() + random.choice(OFFSETS)


def any_value(random: Random, now: datetime) -> Raw:
    """A value of any type, or what is none."""
    return random.choice(_ANY)(random, now)


def _nested(random: Random) -> Raw:
    depth = random.choice([2, 100, 900, 1100, 5000, 30_000])
    opening, closing = random.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"), (b"[", b"")])
    return opening * depth + b"1" + closing * depth


_ANY: list[Callable[[Random, datetime], Raw]] = [
    lambda random, _: text(random.choice(TEXTS)),
    lambda random, _: text(random.choice(TEXTS)),
    lambda random, now: text(any_time(random, now)),
    lambda random, _: random.choice(NUMBERS),
    lambda random, _: random.choice(BROKEN),
    lambda random, _: random.choice([b"null", b"true", b"false", b"[]", b"{}", b'[""]', b'{"amount":"1"}']),
    lambda random, _: _nested(random),
    lambda random, _: text("".join(chr(random.randrange(1, 0xD800)) for _ in range(random.randrange(12)))),
    lambda random, _: b'"' + b"x" * random.choice([4096, 60_000, 66_000]) + b'"' if random.random() < 0.1 else b'"x"',
]


FIELDS: dict[str, Callable[[Random, datetime], Raw]] = {
    "event_id": lambda random, _: text(random.choice(TEXTS)),
    "seller_id": lambda random, _: text(random.choice(TEXTS)),
    "order_id": lambda random, _: text(random.choice(TEXTS)),
    "shipment_id": lambda random, _: text(random.choice(TEXTS)),
    "event_time": lambda random, now: text(any_time(random, now)),
    "shipped_at": lambda random, now: text(any_time(random, now)),
    "promised_delivery_by": lambda random, now: text(any_time(random, now)),
    "uploaded_at": lambda random, now: text(any_time(random, now)),
    "scanned_at": lambda random, now: text(any_time(random, now)),
    "marketplace": lambda random, _: text(random.choice(PLACES + TEXTS)),
    "category": lambda random, _: text(random.choice(TEXTS)),
    "carrier": lambda random, _: text(random.choice(CARRIERS)),
    "ship_method": lambda random, _: text(random.choice(METHODS)),
    "ship_from": lambda random, _: text(random.choice(PLACES)),
    "ship_to": lambda random, _: text(random.choice(PLACES)),
    "tracking_number": lambda random, _: text(random.choice(TRACKING)),
    "order_value": lambda random, _: (
        b'{"amount":%s,"currency":%s}'
        % (
            text(random.choice(AMOUNTS)) if random.random() < 0.7 else random.choice(NUMBERS),
            text(random.choice(CURRENCIES)),
        )
    ),
}
"""Odd values that a field may still take for right, by its name."""

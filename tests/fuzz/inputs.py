"""Records that a topic may hold: events as they should be, and what can become of them on the way.

Everything is drawn from one :class:`random.Random`, so a seed names an input, and hypothesis can draw and shrink it.
"""

from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import msgspec

from tests.fuzz.words import BROKEN, FIELDS, TEXTS, Raw, any_value, instant, text

TOPICS = ("order-shipped", "tracking-uploaded", "tracking-scanned")

SELLERS = ("A1", "A2", "A", "11", "Ä📦", "s" * 1000)
SHIPMENTS = 3_000
"""Shipments that the events of a run are about: few enough to meet again, in many hours."""

LARGEST = 1_048_576
"""Bytes of a value: what Kafka takes by default."""

Fields = list[tuple[Raw, Raw]]
"""An object's names and values as they are written, in their order, repeated ones too."""

Header = tuple[str, bytes | None]


class Input(NamedTuple):
    """A record, but for its place."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


def any_input(random: Random, now: datetime) -> Input:
    """A record as it may come at ``now``: a quarter of them as they should be."""
    kind = random.randrange(3)
    event = _event(random, now, kind)
    changed, value = _changed(random, now, list(event), kind)
    # Most producers take the key from the event, whatever has become of that.
    key = [_said(raw) for name, raw in (*event, *(changed or ())) if name == b'"seller_id"'][-1]
    return Input(TOPICS[kind if random.random() < 0.9 else 0], _any_key(random, key), value, _any_headers(random))


def _event(random: Random, now: datetime, kind: int) -> Fields:
    """An event as it should be: recent, and of one of few shipments."""
    number = random.randrange(SHIPMENTS)
    seller = SELLERS[number % len(SELLERS)]
    # A shipment has its hour, so that its events fit one another; sometimes one is far off.
    shipped_at = now - timedelta(hours=number % 750, minutes=number % 60)
    at = shipped_at if random.random() < 0.5 else shipped_at + timedelta(hours=random.randrange(-30, 60))
    at = min(at, now)
    fields: dict[str, object] = {
        "type": TOPICS[kind],
        "event_id": f"e{random.randrange(100)}",
        "event_time": instant(at),
        "seller_id": seller,
        "order_id": f"o{number // 2}",
        "shipment_id": f"s{number}",
    }
    carrier = random.choice(["DHL", "UPS", "Royal Mail", "GLS", None, "Somebody"])
    tracking = random.choice(["00340434161094042557", "1Z999AA10123456784", f"0034043416109{number:07}", "N/A"])
    if kind == 0:
        fields |= {
            "marketplace": ("DE", "UK", "US", "shop")[number % 4],
            "category": ("Home", "Toys")[number % 2],
            "carrier": carrier,
            "ship_method": random.choice(["Paket", "Brief", None]),
            "order_value": {"amount": f"{random.randrange(5000) / 100:.2f}", "currency": "EUR"},
            "ship_from": random.choice(["DE", "CN"]),
            "ship_to": random.choice(["DE", "FR"]),
            "shipped_at": instant(shipped_at),
            "promised_delivery_by": instant(shipped_at + timedelta(days=number % 20)),
        }
    elif kind == 1:
        fields |= {"carrier": carrier, "tracking_number": tracking, "uploaded_at": instant(at)}
    else:
        milestone = random.choice(["carrier_received", "in_transit", "delivered"])
        fields |= {"carrier": carrier, "tracking_number": tracking, "milestone": milestone}
    return [(text(name), msgspec.json.encode(value)) for name, value in fields.items()]


def _changed(random: Random, now: datetime, fields: Fields, kind: int) -> tuple[Fields | None, bytes | None]:
    """The fields and the value after what happens on the way; None where they are no object any more."""
    how = random.randrange(8)
    if how <= 1:
        return fields, _written(fields)
    if how <= 4:
        # Odd, but of the right type: most of these are taken.
        for _ in range(random.randrange(1, 4)):
            place = random.randrange(len(fields))
            name = fields[place][0]
            odd = FIELDS.get(name.decode().strip('"'))
            fields[place] = name, any_value(random, now) if odd is None else odd(random, now)
        return fields, _written(fields)
    if how == 5:
        for _ in range(random.randrange(1, 4)):
            _break_fields(random, now, fields, kind)
        return fields, _written(fields)
    if how == 6:
        return None, _break_bytes(random, _written(fields))
    return None, _break_value(random, now, _written(fields))


def _written(fields: Fields) -> bytes:
    return b"{" + b",".join(name + b":" + value for name, value in fields) + b"}"


def _break_fields(random: Random, now: datetime, fields: Fields, kind: int) -> None:
    place, other = random.randrange(len(fields)), random.randrange(len(fields))
    name, value = fields[place]
    how = random.randrange(9)
    if how == 0 and len(fields) > 1:
        del fields[place]
    elif how == 1:
        fields[place] = name, any_value(random, now)
    elif how == 2:
        fields.insert(other, (name, any_value(random, now) if random.random() < 0.5 else value))
    elif how == 3:
        fields[place], fields[other] = (name, fields[other][1]), (fields[other][0], value)
    elif how == 4:
        fields[place] = text(random.choice(TEXTS)), value
    elif how == 5:
        fields.append((text("note"), any_value(random, now)))
    elif how == 6:
        fields[place] = name, value.strip(b'"') if random.random() < 0.5 else b"[" + value + b"]"
    elif how == 7:
        fields[0] = fields[0][0], text(TOPICS[(kind + 1) % 3])
    else:
        fields[place] = random.choice(BROKEN), value


def _break_bytes(random: Random, value: bytes) -> bytes:
    data = bytearray(value)
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(data) + 1)
        size = random.choice([1, 1, 2, 5, 50])
        how = random.randrange(6)
        if how == 0:
            del data[place : place + size]
        elif how == 1:
            data[place:place] = bytes(random.randrange(256) for _ in range(size))
        elif how == 2 and place < len(data):
            data[place] ^= 1 << random.randrange(8)
        elif how == 3:
            del data[place:]
        elif how == 4:
            data[place:place] = data[place : place + size] * random.choice([1, 2, 30])
        elif how == 5 and place < len(data):
            data[place] = random.choice(b'"\\{}[]:,0-.eE\x00\xff\xc3\xed ntfu')
    return bytes(data)


def _break_value(random: Random, now: datetime, value: bytes) -> bytes | None:
    how = random.randrange(13)
    if how == 0:
        return random.choice([None, b"", b" ", b"\n", b"\0", b"null", b"[]", b"{}", b'""', b"0", b"true"])
    if how == 1:
        return value + random.choice([value, b" ", b"\n", b"x", b"\0", b"," + value])
    if how == 2:
        return b"[" + value + b"]"
    if how == 3:
        return b"\xef\xbb\xbf" + value
    if how == 4:
        return value.decode().encode(random.choice(["utf-16", "utf-16-le", "utf-32", "utf-7"]))
    if how == 5:
        return msgspec.msgpack.encode(msgspec.json.decode(value))
    if how == 6:
        return any_value(random, now)
    if how == 7:
        return b"\x00\x00\x00\x00\x07" + value  # as a schema registry's serializer would have it
    if how == 8:
        padding = random.choice([65_536 - len(value) - 9, 65_537 - len(value) - 9, 70_000])
        return value[:-1] + b',"note":"' + b"x" * padding + b'"}'
    if how == 9 and random.random() < 0.02:  # rare, for it takes its time
        return value[:-1] + b',"note":"' + b"x" * (LARGEST - len(value) - 9) + b'"}'
    if how == 10:
        return bytes(random.randrange(256) for _ in range(random.randrange(60)))
    if how == 11:
        return value.upper() if random.random() < 0.5 else value.replace(b'"', b"'")
    return value.replace(b",", random.choice([b" , \n\t", b",,", b";", b"\xc2\xa0,"]))


def _any_key(random: Random, key: bytes) -> bytes | None:
    if random.random() < 0.95:
        return key
    others = [None, b"", b"A2", key + b" ", key[:-1], b"\xff" + key, b"\0", b"x" * 10_000, b'"' + key + b'"']
    return random.choice(others)


def _any_headers(random: Random) -> tuple[Header, ...]:
    if random.random() < 0.9:
        return ()
    names = ["trace", "vtr_error_code", "vtr_rejected_at", "vtr_value_dropped", "vtr_resent_from", "", "é📦", "n" * 300]
    values = [None, b"", b"1", b"\xff\x00", b"v" * 1000]
    return tuple((random.choice(names), random.choice(values)) for _ in range(random.randrange(1, 9)))


def _said(value: Raw) -> bytes:
    """The UTF-8 of a JSON string, as a producer would make a key of it; of anything else its text."""
    try:
        said = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value
    return said.encode() if isinstance(said, str) else value

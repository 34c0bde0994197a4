"""What cannot be used ends as a dead letter, whole, and harms nothing around it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from stream.events import RejectionCode
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, Input
from tests.worker.expected import metrics_are_as_computed
from tests.worker.shop import Shop

NOW = datetime.now(UTC)
AGO = NOW - timedelta(hours=5)

NEARLY_A_MEGABYTE = 1_040_000
"""What just fits into a topic with Kafka's default limit, whose dead letter, with its headers, would not."""


class Bad(NamedTuple):
    record: Input
    code: RejectionCode


def changed(record: Input, changes: Mapping[str, object]) -> Input:
    """The record with fields of its event replaced, whatever that makes of it."""
    event = msgspec.json.decode(record.value or b"")
    return record._replace(value=msgspec.json.encode(event | changes))


def without(record: Input, field: str) -> Input:
    event = msgspec.json.decode(record.value or b"")
    del event[field]
    return record._replace(value=msgspec.json.encode(event))


def dated(record: Input, at: str) -> Input:
    return changed(record, {"event_time": at, "shipped_at": at})


def valued(record: Input, amount: str, currency: str) -> Input:
    return changed(record, {"order_value": {"amount": amount, "currency": currency}})


def bad_records(shop: Shop, partition: int) -> list[Bad]:
    """One record of every kind that cannot be used; none may count, so they all speak of a parcel of their own."""
    shipped = shop.ships(900, AGO)
    code = RejectionCode
    bad = [
        (shipped._replace(value=b"{not json"), code.MALFORMED_JSON),
        (shipped._replace(value=b"\xff\xfe\x00"), code.MALFORMED_JSON),
        (shipped._replace(value=b'{"note":' + b"[" * 60_000), code.MALFORMED_JSON),
        (shipped._replace(value=(shipped.value or b"")[:-1]), code.MALFORMED_JSON),
        (shipped._replace(value=b"[]"), code.INVALID_FIELD),
        (changed(shipped, {"type": "order-teleported"}), code.UNKNOWN_TYPE),
        (without(shipped, "event_id"), code.MISSING_FIELD),
        (without(shipped, "shipped_at"), code.MISSING_FIELD),
        (changed(shipped, {"seller_id": 4711}), code.INVALID_FIELD),
        (changed(shipped, {"shipped_at": None}), code.INVALID_FIELD),
        (dated(shipped, "yesterday"), code.INVALID_FIELD),
        (dated(shipped, "2026-01-01T00:00:00"), code.INVALID_FIELD),
        (dated(shipped, "0001-01-01T00:00:00Z"), code.INVALID_FIELD),
        (dated(shipped, "0001-01-01T00:00:00+14:00"), code.INVALID_FIELD),
        (dated(shipped, "1970-01-01T00:00:00Z"), code.INVALID_FIELD),
        (dated(shipped, "9999-12-31T23:59:59Z"), code.FUTURE_EVENT),
        (changed(shipped, {"shipped_at": "9999-12-31T23:59:59Z"}), code.INVALID_FIELD),
        (changed(shipped, {"promised_delivery_by": "0001-01-01T00:00:00Z"}), code.INVALID_FIELD),
        (dated(shipped, (NOW + timedelta(hours=2)).isoformat()), code.FUTURE_EVENT),
        (valued(shipped, "49.90", "eur"), code.INVALID_FIELD),
        (valued(shipped, "49.90", "EURO"), code.INVALID_FIELD),
        (valued(shipped, "-1", "EUR"), code.INVALID_FIELD),
        (valued(shipped, "NaN", "EUR"), code.INVALID_FIELD),
        (valued(shipped, "1e999999999", "EUR"), code.INVALID_FIELD),
        (changed(shipped, {"ship_to": "Germany"}), code.INVALID_FIELD),
        (changed(shipped, {"note": "x" * NEARLY_A_MEGABYTE}), code.TOO_LARGE),
        (shipped._replace(value=b""), code.EMPTY_VALUE),
        (shipped._replace(value=None), code.EMPTY_VALUE),
        (shipped._replace(key=b""), code.KEY_MISMATCH),
        (shipped._replace(key=None), code.KEY_MISMATCH),
        (shipped._replace(key=b"\xff somebody else"), code.KEY_MISMATCH),
    ]
    return [Bad(record._replace(headers=headers(i), partition=partition), code) for i, (record, code) in enumerate(bad)]


def headers(number: int) -> tuple[tuple[str, bytes], ...]:
    """Headers of a producer's own, among them what is easily lost: a repeated name, and an empty value."""
    return (("trace", b"%d" % number), ("trace", b"again"), ("vtr_error_code", b"forged"), ("empty", b""))


async def are_dead_letters(deployment: Deployment, bad: list[Bad]) -> None:
    """Asserts that these records, and no others, are dead letters."""
    letters = await deployment.dead_letters()
    records = [(letter.key, letter.value, letter.headers[:4]) for letter in letters]
    expected = [(record.key, record.value, record.headers) for record, _ in bad]
    # Not compared at once: a difference in a megabyte takes pytest minutes to show.
    assert [letter.headers[0] for letter in letters] == [record.headers[0] for record, _ in bad]
    assert [i for i, (got, wanted) in enumerate(zip(records, expected, strict=True)) if got != wanted] == []
    assert [dict(letter.headers)["vtr_error_code"].decode() for letter in letters] == [code for _, code in bad]


async def test_every_bad_record_is_a_dead_letter(deploy: Deploy) -> None:
    deployment = await deploy()
    shop = Shop(deployment.settings, "A1SELLER")
    partition = deployment.partition_of(shop.key)
    bad = bad_records(shop, partition)
    unknown_currency = valued(shop.ships(500, AGO), "49.90", "XXZ")
    good = [*shop.sends(range(len(bad)), AGO), unknown_currency, shop.tracks(500, AGO)]
    # Good and bad ones alternate, so a batch that fails as a whole is noticed.
    mixed = [record for pair in zip(good[::2], good[1::2], strict=True) for record in pair]
    for position, (record, _) in enumerate(bad):
        mixed.insert(3 * position + 1, record)
    deployment.start()

    await deployment.send(mixed)
    await deployment.eventually(metrics_are_as_computed, deployment, good)
    await deployment.eventually(are_dead_letters, deployment, bad)

    # The windows know by now what time it is.
    late = shop.ships(901, NOW - timedelta(days=81))._replace(headers=headers(len(bad)))
    afterwards = shop.sends([502], AGO)
    await deployment.send([late, *afterwards])
    bad.append(Bad(late, RejectionCode.TOO_LATE))
    await deployment.eventually(metrics_are_as_computed, deployment, [*good, *afterwards])
    await deployment.eventually(are_dead_letters, deployment, bad)
    await deployment.eventually(deployment.all_committed)
    deployment.workers[0].stop()

    for letter in await deployment.dead_letters():
        added = letter.headers[4:]
        assert [name for name, _ in added] == [
            "vtr_error_code",
            "vtr_error_message",
            "vtr_source_topic",
            "vtr_source_partition",
            "vtr_source_offset",
            "vtr_rejected_at",
        ]
        assert added[1][1]
        assert letter.partition == partition
        assert abs(datetime.fromisoformat(added[5][1].decode()) - datetime.now(UTC)) < timedelta(minutes=5)
    sources = {
        (record.topic, record.partition, record.offset): record
        for topic in deployment.settings.input_topics
        for record in await deployment.read(topic)
    }
    for letter in await deployment.dead_letters():
        of = dict(letter.headers[4:])
        source = sources[of["vtr_source_topic"].decode(), int(of["vtr_source_partition"]), int(of["vtr_source_offset"])]
        assert source.headers == letter.headers[:4]
        assert source.value == letter.value

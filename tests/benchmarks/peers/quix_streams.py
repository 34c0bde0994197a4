"""The job in Quix Streams: both topics as one stream, and a stateful function per seller.

Quix keeps the state of a message key, here the seller, in RocksDB and in a changelog topic, and writes both at each
checkpoint. A seller's state holds each shipment and each scope under a key of its own.
"""

import json
from collections.abc import Mapping
from typing import TypedDict

from quixstreams import Application, State

from tests.benchmarks.peers.job import Days, Job, add, is_below, is_valid, sums

CHECKPOINT_EVERY = 10_000
"""Messages, so about one in a second. A run whose number of events is a multiple of it ends with a checkpoint: what
those cost is measured, and waiting for the last one is not. Otherwise that comes with Quix's own interval of 5 s."""

FIRST = "first event processed"

Event = dict[str, str | None]


class Shipment(TypedDict, total=False):
    """``shipped`` and ``tracked`` are the versions of the facts. Without ``shipped`` it is not known yet."""

    shipped: str
    order_id: str
    marketplace: str
    category: str
    day: str
    is_merchants: bool
    carrier: str | None
    tracked: str
    number: str | None
    number_carrier: str | None


class Counts(TypedDict):
    days: Days
    is_below: bool


def changelogs(job: Job) -> tuple[str, ...]:
    """What the names of the changelog topics start with."""
    return (f"changelog__{job.group}--",)


def create_app(job: Job) -> Application:
    """The app; ``run`` it."""
    app = Application(
        broker_address=job.broker,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        state_dir=job.data_dir,
        commit_every=CHECKPOINT_EVERY,
        on_message_processed=_TellFirst(),
        loglevel="WARNING",
    )
    shipped = app.dataframe(app.topic(job.shipped_topic, value_deserializer="json"))
    uploaded = app.dataframe(app.topic(job.uploaded_topic, value_deserializer="json"))
    alerts = app.topic(job.alerts_topic, value_serializer="json")
    shipped.concat(uploaded).apply(apply, stateful=True, expand=True).to_topic(alerts)
    return app


def apply(event: Event, state: State) -> list[dict[str, object]]:
    """Take a seller's event into the seller's state, and give the alerts that it causes."""
    key = f"shipment/{event['shipment_id']}"
    shipment: Shipment = state.get(key, {})
    version = f"{event['event_time']}{event['event_id']}"
    before = validity(shipment)
    if event["type"] == "order-shipped":
        if version <= shipment.get("shipped", ""):
            return []
        shipment |= {
            "shipped": version,
            "order_id": str(event["order_id"]),
            "marketplace": str(event["marketplace"]),
            "category": str(event["category"]),
            "day": str(event["shipped_at"])[:10],
            "is_merchants": event.get("fulfilled_by", "merchant") == "merchant",
            "carrier": event.get("carrier"),
        }
    else:
        if version <= shipment.get("tracked", ""):
            return []
        shipment |= {"tracked": version, "number": event["tracking_number"], "number_carrier": event.get("carrier")}
    state.set(key, shipment)
    after = validity(shipment)
    return [] if after == before else count(event, shipment, before, after, state)


def validity(shipment: Shipment) -> bool | None:
    """Valid, a defect, or None where it does not count."""
    if not shipment.get("is_merchants"):
        return None
    carrier = shipment.get("number_carrier") or shipment["carrier"]
    return is_valid(shipment.get("number"), carrier, shipment["order_id"])


def count(
    event: Event, shipment: Shipment, before: bool | None, after: bool | None, state: State
) -> list[dict[str, object]]:
    """Count a shipment whose validity has changed in each of its scopes."""
    counted_change = (after is not None) - (before is not None)
    valid_change = bool(after) - bool(before)
    seller = str(event["seller_id"])
    marketplace = f"{seller}|{shipment['marketplace']}"
    alerts: list[dict[str, object]] = []
    for scope in (seller, marketplace, f"{marketplace}|{shipment['category']}"):
        counts: Counts = state.get(f"counts/{scope}", {"days": {}, "is_below": False})
        counted, valid = add(counts["days"], shipment["day"], counted_change, valid_change)
        was_below = counts["is_below"]
        counts["is_below"] = is_below(counted, valid)
        state.set(f"counts/{scope}", counts)
        if counts["is_below"] and not was_below:
            alerts.append({"scope": scope, "counted": counted, "valid": valid, "event_time": event["event_time"]})
    return alerts


def final_counts(changelog: Mapping[bytes, bytes]) -> dict[str, tuple[int, int]]:
    """Counted and valid of each scope, from the latest records of the changelog."""
    # Quix puts the message's key and a bar before the key of the state, which is JSON.
    rows = {json.loads(key.partition(b"|")[2]): value for key, value in changelog.items()}
    return {
        key.removeprefix("counts/"): sums(json.loads(value)["days"])
        for key, value in rows.items()
        if key.startswith("counts/")
    }


def run(job: Job) -> None:
    """Run a worker until SIGTERM."""
    create_app(job).run()


class _TellFirst:
    """Tells when the first event is processed: the changelog tells only at the first checkpoint."""

    told = False

    def __call__(self, *_: object) -> None:
        if not self.told:
            self.told = True
            print(FIRST, flush=True)

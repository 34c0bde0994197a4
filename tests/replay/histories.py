"""Histories in every form that a replay reads."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow
import zstandard
from pyarrow import parquet

from stream.records import encode
from stream.replay import Comparison, Replay
from stream.simulator import SimulationConfig, simulate_history

END = datetime(2026, 10, 1, tzinfo=UTC)

COLUMNS = (
    *("type", "event_id", "event_time", "seller_id", "order_id", "shipment_id", "marketplace", "category"),
    *("fulfilled_by", "carrier", "ship_method", "order_value.amount", "order_value.currency", "ship_from", "ship_to"),
    *("shipped_at", "promised_delivery_by", "tracking_number", "uploaded_at", "milestone", "scanned_at"),
)


def history(events: int, *, days: int = 90, sellers: int = 9) -> list[bytes]:
    """Lines without line ends: events of some sellers, each as JSON, in an order of their own.

    Some have a twin of the same id and time that says other things.
    """
    config = SimulationConfig(seed=5, sellers=sellers, start=END - timedelta(days=days), end=END, malformed=0)
    lines = [record.value for record in simulate_history(config, events)]
    random = Random(1)  # noqa: S311 - an order that is always the same
    for line in random.sample(lines, events // 20):
        event = json.loads(line)
        if event["type"] == "tracking-uploaded":
            event["tracking_number"] = random.choice([None, "N/A", "00340434161094042557"])
        else:
            event["carrier"] = random.choice(["DHL", "Hermes", None])
        lines.append(json.dumps(event).encode())
    random.shuffle(lines)
    return lines


def flat(line: bytes) -> dict[str, str | None]:
    """An event's cells."""
    event = json.loads(line)
    for part, value in event.pop("order_value", {}).items():
        event[f"order_value.{part}"] = value
    return {name: event.get(name) for name in COLUMNS}


def to_csv(lines: Sequence[bytes], delimiter: str = ",") -> bytes:
    """A header and a row per event."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(map(flat, lines))
    return text.getvalue().encode()


def to_parquet(lines: Sequence[bytes]) -> bytes:
    """A row per event; times are times."""
    rows = [flat(line) for line in lines]
    columns = {}
    for name in COLUMNS:
        values: list[object] = [row[name] for row in rows]
        if name.endswith(("_time", "_at", "_by")) and name != "fulfilled_by":
            times = [None if value is None else datetime.fromisoformat(str(value)) for value in values]
            columns[name] = pyarrow.array(times, pyarrow.timestamp("us", "UTC"))
        else:
            columns[name] = pyarrow.array(values, pyarrow.string())
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file, row_group_size=700)
    return file.getvalue()


def write(folder: Path, name: str, lines: Sequence[bytes]) -> str:
    """A file of the form and packing that its name tells. Returns its path."""
    stem = name.removesuffix(".gz").removesuffix(".zst")
    if stem.endswith(".csv"):
        content = to_csv(lines)
    elif stem.endswith(".parquet"):
        content = to_parquet(lines)
    else:
        content = b"\n".join([*lines, b""])
    if name.endswith(".gz"):
        content = gzip.compress(content)
    elif name.endswith(".zst"):
        content = zstandard.ZstdCompressor().compress(content)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def said(result: Replay) -> tuple[object, ...]:
    """All that must be the same for the same events."""
    return (
        result.as_of,
        [encode(metric) for metric in result.metrics],
        [encode(alert) for alert in result.alerts],
        Comparison.of(result),
    )

"""Parquet: a column per field of events, and a row per event. Each row becomes the JSON that it stands for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stream.replay.csv_rows import COLUMNS, NEEDED
from stream.replay.errors import SourceError
from stream.replay.files import STDIN
from stream.replay.lines import Lines

if TYPE_CHECKING:
    import pyarrow

PARQUET_MAGIC = b"PAR1"
"""How a file begins."""

ROWS = 2_000
"""Rows given at once."""

_VALUE = "order_value"
_PLACES = {**COLUMNS, _VALUE: (_VALUE,)}
"""Money may be a column of structs too."""

_encode = msgspec.json.Encoder().encode


def read_parquet(path: str) -> Iterator[Lines]:
    """The rows of a file, counted from 1. A null is a field that is not there, as an empty cell of CSV is.

    Raises :class:`~stream.replay.errors.SourceError`, also where the extra ``parquet`` is not installed.
    """
    if path == STDIN:
        raise SourceError("Parquet cannot be read from standard input, for it is read from its end")
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise SourceError(f"cannot read {path}: Parquet needs pyarrow: pip install 'vtr-stream[parquet]'") from None
    try:
        size = Path(path).stat().st_size
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in _PLACES]
            missing = [name for name in NEEDED if name not in names]
            if missing:
                raise SourceError(f"{path}: there is no column {', '.join(missing)}")
            number, total = 1, file.metadata.num_rows
            for batch in file.iter_batches(ROWS, columns=names, use_threads=False):
                values = [_encode(_event(row)) for row in _plain(batch, pyarrow).to_pylist()]
                end = number + len(values)
                yield Lines(values, range(number, end), values, size * (end - 1) // max(total, 1))
                number = end
    except OSError as error:
        raise SourceError(f"cannot read {path}: {' '.join(str(error.strerror or error).split())}") from error
    except pyarrow.ArrowException as error:
        raise SourceError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def _plain(batch: "pyarrow.RecordBatch", pyarrow: "type[pyarrow]") -> "pyarrow.RecordBatch":
    """The batch with times to the microsecond, as events have them, and text that is not marked as such as text."""
    types = pyarrow.types
    for place, field in enumerate(batch.schema):
        to = None
        if types.is_timestamp(field.type) and field.type.unit == "ns":
            to = pyarrow.timestamp("us", field.type.tz)
        elif types.is_binary(field.type) or types.is_large_binary(field.type):
            to = pyarrow.string()
        if to is not None:
            batch = batch.set_column(place, field.name, batch.column(place).cast(to, safe=False))
    return batch


def _event(row: dict[str, object]) -> dict[str, object]:
    event: dict[str, object] = {}
    value: dict[str, object] = {}
    for name, cell in row.items():
        if cell is None:
            continue
        place = _PLACES[name]
        if len(place) == 2:
            value[place[1]] = cell
        elif isinstance(cell, dict):
            value |= {part: each for part, each in cell.items() if each is not None}
        else:
            event[name] = cell
    if value:
        event[_VALUE] = value
    if "tracking_number" in row and "tracking_number" not in event and event.get("type") == "tracking-uploaded":
        event["tracking_number"] = None  # as in CSV: it takes the number back
    return event

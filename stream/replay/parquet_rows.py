"""Parquet: a column per field of events, and a row per event. Each row becomes the JSON that it stands for."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stream.replay.csv_rows import COLUMNS, NEEDED, as_json
from stream.replay.errors import SourceError
from stream.replay.files import STDIN
from stream.replay.lines import Lines
from stream.shipment import EPOCH

if TYPE_CHECKING:
    import pyarrow

PARQUET_MAGIC = b"PAR1"
"""How a file begins."""

ROWS = 2_000
"""Rows given at once."""

_VALUE = "order_value"
_VALUE_COLUMNS = {name: place[1] for name, place in COLUMNS.items() if len(place) > 1} | {_VALUE: ""}
"""The parts of money by their columns; it may be one column of structs too."""

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""In the units of times."""


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
        raise SourceError(f"cannot read {path}: Parquet needs pyarrow: pip install pyarrow") from None
    try:
        size = Path(path).stat().st_size
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in COLUMNS or name == _VALUE]
            missing = [name for name in NEEDED if name not in names]
            if missing:
                raise SourceError(f"{path}: there is no column {', '.join(missing)}")
            number, total = 1, file.metadata.num_rows
            for batch in file.iter_batches(ROWS, columns=names, use_threads=False):
                rows = zip(*(_cells(column, pyarrow) for column in batch.columns), strict=True)
                values = [as_json(_event(batch.schema.names, row)) for row in rows]
                end = number + len(values)
                yield Lines(values, range(number, end), values, size * (end - 1) // max(total, 1))
                number = end
    except OSError as error:
        raise SourceError(f"cannot read {path}: {' '.join(str(error.strerror or error).split())}") from error
    except pyarrow.ArrowException as error:
        raise SourceError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def _cells(column: "pyarrow.Array", pyarrow: "type[pyarrow]") -> list[object]:
    """The values of a column; a time that Python does not know is text that is none."""
    types, kind = pyarrow.types, column.type
    if any(
        is_text(kind) for is_text in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    ):
        try:
            return list(column.cast(pyarrow.string()).to_pylist())  # some programs do not mark text as such
        except (UnicodeDecodeError, pyarrow.ArrowInvalid):
            texts = column.cast(pyarrow.large_binary()).to_pylist()
            return [None if text is None else text.decode(errors="surrogateescape") for text in texts]
    if types.is_timestamp(kind):
        # As numbers, for Arrow takes ten times as long to make times of them, and knows fewer years than they.
        epoch = EPOCH.replace(tzinfo=None) if kind.tz is None else EPOCH
        numbers = column.cast(pyarrow.int64()).to_pylist()
        return [None if number is None else _time(epoch, number * _NANOSECONDS[kind.unit]) for number in numbers]
    return list(column.to_pylist())


def _time(epoch: datetime, nanoseconds: int) -> object:
    microseconds, rest = divmod(nanoseconds, 1000)
    try:
        at = epoch + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{nanoseconds} ns since 1970"
    if not rest:
        return at
    text = at.isoformat(timespec="microseconds")  # the decoder takes nanoseconds in its own way
    end = text.index(".") + 7
    return f"{text[:end]}{rest:03}{text[end:]}"


def _event(names: Sequence[str], row: Sequence[object]) -> dict[str, object]:
    event = {name: cell for name, cell in zip(names, row, strict=True) if cell is not None}
    value: dict[str, object] = {}
    for name, part in _VALUE_COLUMNS.items():
        cell = event.pop(name, None)
        if isinstance(cell, dict):
            value |= {key: each for key, each in cell.items() if each is not None}
        elif cell is not None:
            value[part] = cell
    if value:
        event[_VALUE] = value
    if "tracking_number" not in event and event.get("type") == "tracking-uploaded" and "tracking_number" in names:
        event["tracking_number"] = None  # as in CSV: it takes the number back
    return event

"""CSV: a header that names the fields of events, and a row per event. Each row becomes the JSON that it stands for."""

import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO, NamedTuple, get_args

import msgspec

from stream.events import MAX_EVENT_BYTES, Event, Rejection, RejectionCode
from stream.replay.errors import SourceError
from stream.replay.lines import Lines

DELIMITERS = ",;\t"

ROWS = 2_000
"""Rows given at once."""

_VALUE = "order_value"

_FIELDS = {field.encode_name for kind in get_args(Event) for field in msgspec.structs.fields(kind)} - {_VALUE}

COLUMNS: dict[str, tuple[str, ...]] = {
    "type": ("type",),
    **{name: (name,) for name in sorted(_FIELDS)},
    **{f"{_VALUE}{joint}{part}": (_VALUE, part) for part in ("amount", "currency") for joint in "._"},
}
"""Where in an event the cells of each column stand. Columns of other names are ignored, as such fields of JSON are."""

NEEDED = ("type", "event_id", "event_time", "seller_id")
"""Every event has them, so a file without such a column has no header, or is about something else."""

LONGEST_ROW = MAX_EVENT_BYTES
"""Bytes within which a cell that spans lines must end: otherwise its quotation mark is a slip."""

_encode = msgspec.json.Encoder().encode


def is_header(line: bytes) -> bool:
    """Whether a line names the columns that every event has."""
    return _header(line) is not None


def _header(line: bytes) -> tuple[str, list[str]] | None:
    """The delimiter, and the columns' names."""
    text = line.decode(errors="replace").strip("\r\n")
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error:  # it has a line end of another system's, or is no text
            continue
        names = [name.strip().lower() for name in cells]
        if set(NEEDED) <= set(names):
            return delimiter, names
    return None


def read_csv(path: str, head: bytes, source: BinaryIO) -> Iterator[Lines]:
    """The rows of a file whose first line is ``head``. Raises :class:`~stream.replay.errors.SourceError`."""
    if not head:
        return
    header = _header(head)
    if header is None:
        raise SourceError(f"{path}: the first line does not name the columns {', '.join(NEEDED)}")
    delimiter, names = header
    events = _Events(path, names)
    rows = _rows(source, delimiter, len(names))
    while some := list(islice(rows, ROWS)):
        values = [row.cells if isinstance(row.cells, Rejection) else events.to_json(row.cells) for row in some]
        has_rejections = any(isinstance(value, Rejection) for value in values)
        yield Lines(values, [row.number for row in some], [row.raw for row in some], 0, has_rejections)


class _Events:
    """Makes the JSON of events from the cells under a header."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        self._fields: list[tuple[int, str]] = []
        self._value_parts: list[tuple[int, str]] = []
        self._type = names.index("type")
        self._number = names.index("tracking_number") if "tracking_number" in names else None
        known: set[tuple[str, ...]] = set()
        for place, name in enumerate(names):
            field = COLUMNS.get(name)
            if field is None:
                continue
            if field in known:
                raise SourceError(f"{path}: more than one column is the event's `{'.'.join(field)}`")
            known.add(field)
            (self._fields if len(field) == 1 else self._value_parts).append((place, field[-1]))

    def to_json(self, cells: Sequence[str]) -> bytes:
        """An empty cell is a field that is not there.

        But an empty tracking number of a ``tracking-uploaded`` is null, by which the seller takes a number back: the
        field must be there, and a table has no other way to say so.
        """
        event: dict[str, object] = {name: cells[place] for place, name in self._fields if cells[place]}
        value = {name: cells[place] for place, name in self._value_parts if cells[place]}
        if value:
            event[_VALUE] = value
        if self._number is not None and not cells[self._number] and cells[self._type] == "tracking-uploaded":
            event["tracking_number"] = None
        return as_json(event)


def as_json(event: dict[str, object]) -> bytes:
    """The JSON of an event. What in it is no UTF-8 and was decoded by ``surrogateescape`` stands there as it was."""
    try:
        return _encode(event)
    except UnicodeEncodeError:  # the decoder is to say so
        return json.dumps(event, ensure_ascii=False, default=str).encode(errors="surrogateescape")


class _Row(NamedTuple):
    number: int
    """Of its first line."""
    raw: bytes
    cells: Sequence[str] | Rejection


def _rows(source: BinaryIO, delimiter: str, width: int) -> Iterator[_Row]:
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 2
    while True:
        problem = None
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
        if problem is None and not cells:
            number += len(lines.take())
            continue
        if problem is None and len(cells) != width:
            problem = f"it has {len(cells)} cells, and the header has {width}"
        if problem is not None and len(lines.taken) > 1:
            # A quotation mark that nobody closed has swallowed lines which may be sound.
            lines.put_back()
            problem = "a quotation mark is not closed"
        raw = lines.take()
        rejection = None if problem is None else Rejection(RejectionCode.INVALID_FIELD, f"not a row of CSV: {problem}")
        yield _Row(number, b"".join(raw), rejection or cells)
        number += len(raw)


class _Lines:
    """The lines of a file as text, for a reader that takes some at a time."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._again: deque[bytes] = deque()
        self.taken: list[bytes] = []
        """Since :meth:`take` was last called."""
        self._bytes = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._bytes > LONGEST_ROW:
            raise StopIteration
        line = self._again.popleft() if self._again else self._source.readline()
        if not line:
            raise StopIteration
        self.taken.append(line)
        self._bytes += len(line)
        return line.decode(errors="surrogateescape")

    def take(self) -> list[bytes]:
        """The lines that were read since the last time."""
        taken, self.taken, self._bytes = self.taken, [], 0
        return taken

    def put_back(self) -> None:
        """Give all lines but the first of them again."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

"""Files in, events out: recognise each, read it, join all."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from stream.events import Event
from stream.imports.cells import DayOrder
from stream.imports.encoding import EncodingError, read_text
from stream.imports.facts import Extract, Reject
from stream.imports.fields import Report, load_fields
from stream.imports.flat_file import recognise
from stream.imports.join import Assumptions, Left, join
from stream.imports.orders_api import NoOrdersError, read_orders
from stream.imports.reports import Source, read_flat_file

STDIN = "-"


class ImportFailedError(Exception):
    """A file cannot be read, or is none that is known. The message is one line that names it."""


class Recognised(NamedTuple):
    """What a file was taken for. ``rows`` are rows, or orders of the API."""

    file: str
    report: Report
    encoding: str
    rows: int


class Imported(Struct, frozen=True):
    """The events in the order of their versions, what could not be used, and what was found.

    ``orders`` are those that any file names, ``left`` those of them that rightly give no event, by the reason.
    """

    events: list[Event]
    rejects: list[Reject]
    files: list[Recognised]
    orders: int
    shipments: int
    left: dict[Left, int]


def import_files(
    files: Sequence[str], seller_id: str, assumed: Assumptions, day_order: DayOrder | None = None
) -> Imported:
    """Import files of one seller; ``FILE@TIME`` says when one was uploaded. Raises :class:`ImportFailedError`.

    The same facts give the same events, in whatever order and in whatever pieces they come.
    """
    extract = Extract()
    recognised = [_read(source, extract) for source in (source_of(file, day_order) for file in files)]
    joined = join(extract, seller_id, assumed)
    return Imported(
        events=joined.events,
        rejects=sorted([*extract.rejects, *joined.rejects]),
        files=recognised,
        orders=len(extract.orders.keys() | extract.packages.keys()),
        shipments=joined.shipments,
        left=joined.left,
    )


def source_of(file: str, day_order: DayOrder | None = None) -> Source:
    """A file as it is given, and the time behind its name where there is one. Raises :class:`ImportFailedError`."""
    name, separator, time = file.rpartition("@")
    if not separator or Path(file).exists():
        return Source(file, day_order)
    if not re.match(r"\d{4}-\d{2}-\d{2}", time) and not Path(name).exists():
        return Source(file, day_order)
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        raise ImportFailedError(f"{file}: `{time}` is not a time such as 2026-11-01T12:00:00Z") from None
    return Source(name, day_order, at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))


def _read(source: Source, extract: Extract) -> Recognised:
    file = source.file
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        text, encoding = read_text(data)
    except OSError as error:
        raise ImportFailedError(f"cannot read {file}: {error.strerror or error}") from None
    except EncodingError as error:
        raise ImportFailedError(f"cannot read {file}: {error}") from None
    if text.lstrip()[:1] in ("{", "["):
        try:
            return Recognised(file, "orders_api", encoding, read_orders(source, text, extract))
        except NoOrdersError as error:
            raise ImportFailedError(f"cannot read {file}: {error}") from None
    flat = recognise(text)
    if flat is None:
        known = "; ".join(
            f"{form.title} ({', '.join(form.header)})" for form in load_fields().reports.values() if form.header
        )
        raise ImportFailedError(
            f"cannot tell what {file} is: it is no JSON, and none of its first lines is the header of {known}"
        )
    return Recognised(file, flat.report, encoding, read_flat_file(source, flat, extract))

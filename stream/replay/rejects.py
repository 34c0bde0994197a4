"""What is no usable event, and the file of it: every such line, unchanged, with its place and the reason."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct

from stream.events import Rejection
from stream.replay.files import path_text


class RejectedLine(NamedTuple):
    """A line or row that is no usable event; they count from 1. ``file`` is its path as JSON can have it, ``raw`` is
    what stood there.

    Of a record of a topic ``file`` is ``TOPIC/PARTITION:OFFSET``, and ``line`` is 0.
    """

    file: str
    line: int
    rejection: Rejection
    raw: bytes = b""


class _Reject(Struct, omit_defaults=True):
    file: str
    line: int
    code: str
    message: str
    raw: str | None = None
    raw_base64: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Reject).decode


def reject_lines(rejected: Iterable[RejectedLine]) -> Iterator[bytes]:
    """Lines of JSON: ``file``, ``line``, ``code``, ``message``, and ``raw``, or ``raw_base64`` where it is no UTF-8."""
    for file, line, rejection, raw in rejected:
        line_alone = raw.removesuffix(b"\n")
        text, packed = None, None
        try:
            text = line_alone.decode()
        except UnicodeDecodeError:
            packed = b64encode(line_alone).decode()
        yield _encode(_Reject(file, line, rejection.code, rejection.message, text, packed)) + b"\n"


def join_rejects(parts: Sequence[Path], paths: Sequence[str], out: BinaryIO) -> None:
    """Write what the shares of the sellers rejected in the order of the files and of their lines; then that of topics,
    in the order in which each share got it."""
    places = {path_text(path): place for place, path in enumerate(paths)}

    def place(line: bytes) -> tuple[int, int]:
        reject = _decode(line)
        return places.get(reject.file, len(places)), reject.line

    opened = [part.open("rb") for part in parts]
    try:
        out.writelines(merge(*opened, key=place))
    finally:
        for each in opened:
            each.close()

"""Where commands write what is theirs: standard output, or files that are there whole or not at all."""

import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self, TypeVar

import click

from stream.cli.options import CommandError
from stream.cli.outages import outages_told_once
from stream.replay.whole_file import WholeFile, is_special

R = TypeVar("R")

STDOUT = "-"


def write_output(name: str, chunks: Iterable[bytes]) -> None:
    """Write all of an output. Raises :class:`~stream.cli.options.CommandError`."""
    with Output(name) as out:
        out.write(chunks)
        out.complete()


def check_outputs(outputs: Iterable[str | None], inputs: Iterable[str] = ()) -> None:
    """Raises :class:`~stream.cli.options.CommandError` where one would take the place of an input, or of another."""
    read = {Path(name).resolve() for name in inputs}
    written: set[Path] = set()
    for name in outputs:
        if name is None or name == STDOUT or is_special(Path(name)):
            continue
        place = Path(name).resolve()
        if place in read:
            raise CommandError(f"cannot write {name}: it is one of the files to read")
        if place in written:
            raise CommandError(f"cannot write {name}: it is named for two outputs")
        written.add(place)


class Output:
    """Standard output, or a file that gets its name when it is complete.

    Raises :class:`~stream.cli.options.CommandError` where it cannot be written.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._whole = None if name == STDOUT else WholeFile(Path(name))
        except OSError as error:
            raise self._unwritable(error) from None
        self.file = sys.stdout.buffer if self._whole is None else self._whole.file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._whole is not None:
            self._whole.discard()

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write more of it."""
        try:
            self.file.writelines(chunks)
        except OSError as error:
            if self._whole is None:
                raise
            raise self._unwritable(error) from None

    def complete(self) -> None:
        """All is written."""
        if self._whole is None:
            self.file.flush()
            return
        try:
            self._whole.complete()
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot write {self._name}: {error.strerror}")


def show_all(records: Sequence[R], text: Callable[[R], str], if_none: str) -> None:
    """A line for each record; where there is none, that on standard error."""
    for record in records:
        click.echo(text(record))
    if not records:
        click.echo(if_none, err=True)


def nothing(kind: str, topic: str, broker: str, *, is_filtered: bool) -> str:
    """That a topic has no records to show: none at all, or none that were asked for."""
    return f"there are no {'such ' if is_filtered else ''}{kind} on {topic} at {broker}"


async def collected(records: AsyncGenerator[R, None]) -> list[R]:
    """All records of what has an end."""
    async with aclosing(records):
        return [record async for record in records]


async def show_as_they_come(records: AsyncGenerator[R, None], text: Callable[[R], str]) -> None:
    """A line for each record as it comes."""
    with outages_told_once():
        async with aclosing(records):
            async for record in records:
                click.echo(text(record))


@contextmanager
def cleaning_up() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does, and not without a word."""

    def end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler gets
        raise SystemExit(128 + number)  # as shells have it

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

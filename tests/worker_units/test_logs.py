"""What the log says, in which form, and how often."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from stream.worker import logs
from stream.worker.logs import BURST, WINDOW, JsonFormatter, LogFormat, RepeatFilter, TextFormatter, set_up_logging

LOGGER = "stream.worker"


class Terminal(io.StringIO):
    """Stands in for stderr."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [logging.getLogger(name) for name in ("aiokafka", *logs._SILENT)]
    levels = [logger.level for logger in loggers]
    root.handlers = []
    yield root
    root.handlers = handlers
    root.setLevel(level)
    for logger, before in zip(loggers, levels, strict=True):
        logger.setLevel(before)


def record(
    message: str, *args: object, level: int = logging.WARNING, error: Exception | None = None
) -> logging.LogRecord:
    made = logging.LogRecord(
        LOGGER, level, __file__, 1, message, args, None if error is None else (type(error), error, None)
    )
    made.created = 1_795_634_444.5
    return made


def test_text_is_a_line_for_people() -> None:
    assert TextFormatter().format(record("partition %d of\n%s", 3, "A1")) == (
        "2026-11-25T19:20:44.500Z WARNING stream.worker: partition 3 of A1"
    )
    lines = TextFormatter().format(record("stopped", error=ZeroDivisionError("why"))).splitlines()
    assert (len(lines), lines[-1]) == (2, "ZeroDivisionError: why")


def test_json_is_one_object_a_line() -> None:
    line = JsonFormatter().format(record("partition %d of\n%s", 3, "Ä1", error=ZeroDivisionError("why")))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-25T19:20:44.500Z",
        "level": "warning",
        "logger": "stream.worker",
        "message": "partition 3 of\nÄ1",
        "traceback": "ZeroDivisionError: why",
    }
    assert "traceback" not in json.loads(JsonFormatter().format(record("all is well")))


@pytest.mark.parametrize(
    ("form", "is_terminal", "is_text"),
    [("auto", True, True), ("auto", False, False), ("text", False, True), ("json", True, False)],
)
def test_the_form_follows_the_terminal_unless_it_is_set(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, form: LogFormat, is_terminal: bool, is_text: bool
) -> None:
    stderr = Terminal(is_terminal=is_terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logging("info", form)
    assert root.level == logging.INFO
    logging.getLogger(LOGGER).info("ready")
    assert stderr.getvalue().startswith("{") is not is_text
    assert re.search("INFO stream.worker: ready$" if is_text else '"message":"ready"}$', stderr.getvalue().strip())


@pytest.mark.parametrize(("level", "said"), [("info", 1), ("debug", 3)])
def test_what_aiokafka_says_of_a_broker_that_is_away_is_left_out(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, level: str, said: int
) -> None:
    stderr = Terminal(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logging(level, "text")
    client = logging.getLogger("aiokafka")
    client.error("Unable connect to node with id %s: %s", 1, "refused")
    client.warning("Heartbeat failed: local member_id was not recognized")
    logging.getLogger("aiokafka.consumer.group_coordinator").error("Unexpected error in coordinator routine")
    assert len(stderr.getvalue().splitlines()) == said
    assert root.handlers


def test_what_is_said_again_and_again_is_counted_instead() -> None:
    now = 100.0
    repeats = RepeatFilter(lambda: now)

    def told(message: str, *args: object, level: int = logging.WARNING) -> str | None:
        made = record(message, *args, level=level)
        return made.getMessage() if repeats.filter(made) else None

    lines = [told("partition %d cannot be published", number) for number in range(BURST + 7)]
    assert lines == [f"partition {number} cannot be published" for number in range(BURST)] + [None] * 7
    assert told("another trouble") == "another trouble"
    assert told("%d events", 1, level=logging.INFO) == "1 events"
    now += WINDOW
    assert told("partition %d cannot be published", 9) == (
        "partition 9 cannot be published (7 more like this were left out)"
    )
    assert told("partition %d cannot be published", 10) == "partition 10 cannot be published"
    assert [told("%d events", number, level=logging.INFO) for number in range(BURST + 1)][-1] == f"{BURST} events"

"""How people read dead letters on a terminal."""

from collections.abc import Iterator, Sequence

import msgspec

from stream.cli.format import printable, shortened
from stream.dead_letters import CodeSummary, Letter, Planned
from stream.events import RejectionCode

MESSAGE_WIDTH = 100
"""Characters of a message in a list; the whole of it is one command away."""
KEY_WIDTH = 40

EXPLANATIONS = {
    RejectionCode.EMPTY_VALUE: "The record has no value; an event is a JSON object.",
    RejectionCode.TOO_LARGE: "An event has a few hundred bytes; this is something else.",
    RejectionCode.MALFORMED_JSON: "The value is no JSON in UTF-8.",
    RejectionCode.UNKNOWN_TYPE: "`type` is none of order-shipped, tracking-uploaded and tracking-scanned.",
    RejectionCode.MISSING_FIELD: "A required field is missing.",
    RejectionCode.INVALID_FIELD: "A field has a wrong type, or a value it cannot have.",
    RejectionCode.KEY_MISMATCH: "The record's key is not the event's seller id, so it may be in another's partition.",
    RejectionCode.FUTURE_EVENT: "It is dated more than an hour ahead of the clock. Sent again later, it is taken.",
    RejectionCode.TOO_LATE: "It is too old for any window, so it could change no number any more.",
}
"""What each code means. The message says what it was in this case."""


def letter_text(letter: Letter) -> str:
    """A letter on one line."""
    return (
        f"{letter.rejected_at:%Y-%m-%d %H:%M:%S}  {_place(letter):<8}  {letter.code:<14}  {letter.source.topic:<17}  "
        f"{shortened(printable(letter.key), KEY_WIDTH)}  {shortened(printable(letter.message), MESSAGE_WIDTH)}"
    )


def letter_lines(letter: Letter, topic: str, problem: str | None) -> Iterator[str]:
    """A letter in full; ``problem`` is why a worker would reject it again."""
    yield f"letter    {topic} {_place(letter)}"
    yield f"rejected  {letter.rejected_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"code      {printable(letter.code)}"
    yield f"why       {printable(letter.message)}"
    explanation = EXPLANATIONS.get(letter.code)  # type: ignore[call-overload]
    if explanation is not None:
        yield f"          {explanation}"
    yield f"now       {'a worker would take it' if problem is None else f'rejected again: {printable(problem)}'}"
    source = letter.source
    yield f"source    {printable(source.topic)}, partition {source.partition}, offset {source.offset}"
    yield f"key       {printable(letter.key)}"
    for name, value in letter.headers:
        yield f"header    {printable(name)}: {printable(value)}"
    if letter.dropped is not None:
        yield f"value     dropped: its {letter.dropped:,} bytes are more than the topic takes; see its source"
    else:
        yield f"value     {'—' if letter.value is None else f'{len(letter.value):,} bytes'}"
    for line in _value_lines(letter.value or b""):
        yield f"  {line}"


def summary_lines(summaries: Sequence[CodeSummary]) -> Iterator[str]:
    """The letters by code, as a table with an example of each; no line where there is none."""
    if not summaries:
        return
    yield f"{'code':<14}  {'letters':>9}  {'sellers':>9}  {'oldest (UTC)':<16}  {'newest (UTC)':<16}  newest letter"
    for each in summaries:
        yield (
            f"{each.code:<14}  {each.letters:>9,}  {each.sellers:>9,}  {each.oldest:%Y-%m-%d %H:%M}  "
            f"{each.newest:%Y-%m-%d %H:%M}  {each.latest}  {shortened(printable(each.message), MESSAGE_WIDTH)}"
        )


def planned_text(planned: Planned, *, is_sent: bool) -> str:
    """What becomes of a letter, on one line."""
    letter, partition, problem = planned
    target = f"{printable(letter.source.topic)}:{partition}"
    if partition != letter.source.partition:
        target += f" (was in {letter.source.partition})"
    verb = "send" if is_sent else "leave out"
    why = "" if problem is None else f"  {shortened(printable(problem), MESSAGE_WIDTH)}"
    return f"{verb:<9}  {_place(letter):<8}  {target}  {shortened(printable(letter.key), KEY_WIDTH)}{why}"


def _place(letter: Letter) -> str:
    return f"{letter.partition}:{letter.offset}"


def _value_lines(value: bytes) -> list[str]:
    try:
        # Changes nothing but blanks between the tokens.
        text = msgspec.json.format(value, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = value.decode(errors="backslashreplace")
    return [printable(line) for line in text.split("\n")] if value else []

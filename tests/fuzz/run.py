"""A long run: batches of inputs through one partition as its clock goes on, and what breaks told once per kind."""

import random
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from msgspec.structs import replace

from stream.settings import Settings
from tests.fuzz.harness import Harness, Totals
from tests.fuzz.inputs import Input, any_input
from tests.policy.facts import rules

BATCH = 500
"""Inputs between two looks at the clock."""

STEPS = [0, 1, 10, 600, 3600, 5000, 6 * 3600, 30 * 3600]
"""Seconds from one batch to the next. A long run passes months: shipments leave the windows and are forgotten."""

RESTORE_EVERY = 40
"""Batches between two restores, each of which reads all shipments."""

TELL_EVERY = 10.0
"""Seconds between two lines that say how far the run is."""

PROJECT = Path(__file__).parents[2]


class Finding(Struct):
    """Something that broke: where, how often, and the input that breaks it alone; None where others must go before."""

    where: str
    problem: str
    count: int
    batch: int
    culprit: Input | None


class Report(Struct):
    """What a run came to."""

    totals: list[Totals]
    findings: list[Finding]
    seconds: float


def ways(folder: Path) -> list[Settings]:
    """The settings that inputs are tried with: by tracking, by scans, and with numbers that must not be used twice."""
    file = folder / "reuse.toml"
    reuse = 'reuse = { treatment = "defect", grade = "D", source = ["ours"] }'
    file.write_text(rules("fuzz", ["DE", "US", "shop"], reuse), encoding="utf-8")
    common = Settings(min_counted=5)
    return [common, replace(common, valid_when="scan"), replace(common, policy_file=str(file))]


def run(inputs: int, seed: int, tell: Callable[[str], None] = lambda _: None) -> Report:
    """As many inputs for each of the :func:`ways`. One seed, one run."""
    started = time.perf_counter()
    findings: dict[str, Finding] = {}
    totals = []
    with TemporaryDirectory() as folder:
        tried = ways(Path(folder))
        for number, settings in enumerate(tried):
            share = inputs // len(tried) + (number < inputs % len(tried))
            totals += _run(settings, share, seed * len(tried) + number, findings, tell)
    return Report(totals, list(findings.values()), time.perf_counter() - started)


def _run(
    settings: Settings, inputs: int, seed: int, findings: dict[str, Finding], tell: Callable[[str], None]
) -> list[Totals]:
    drawn = random.Random(seed)  # noqa: S311 - an order, not a secret
    harness = Harness(settings)
    ended: list[Totals] = []
    told_at = time.monotonic()
    for batch, first in enumerate(range(0, inputs, BATCH)):
        records = [any_input(drawn, harness.now) for _ in range(min(BATCH, inputs - first))]
        passed = timedelta(seconds=drawn.choice(STEPS))
        ends = {"order-shipped": drawn.random() < 0.8, "tracking-uploaded": drawn.random() < 0.8}
        try:
            harness.feed(records, lambda topic, ends=ends: ends.get(topic, True))  # type: ignore[misc]
            harness.pass_time(passed)
            if batch % RESTORE_EVERY == RESTORE_EVERY - 1 or first + BATCH >= inputs:
                harness.check_restored()
                harness.check_recounted()
        except Exception as error:  # noqa: BLE001 - what it is, is the question
            _note(findings, error, batch, settings, records, harness)
            # What the failed step left behind would only fail again.
            ended.append(harness.totals())
            harness = Harness(settings, harness.now)
        if time.monotonic() - told_at > TELL_EVERY:
            told_at = time.monotonic()
            tell(f"{first + len(records):,} of {inputs:,} inputs of a third; {len(findings)} findings")
    return [*ended, harness.totals()]


def _note(
    findings: dict[str, Finding],
    error: Exception,
    batch: int,
    settings: Settings,
    records: Sequence[Input],
    harness: Harness,
) -> None:
    where = _where(error)
    finding = findings.get(where)
    if finding is not None:
        finding.count += 1
        return
    culprit = next((record for record in records if _breaks(settings, harness, record, where)), None)
    findings[where] = Finding(where, f"{type(error).__name__}: {error}", 1, batch, culprit)


def _breaks(settings: Settings, harness: Harness, record: Input, where: str) -> bool:
    alone = Harness(settings, harness.now)
    try:
        alone.feed([record])
        alone.pass_time(timedelta(hours=1))
        alone.check_restored()
        alone.check_recounted()
    except Exception as error:  # noqa: BLE001 - what it is, is the question
        return _where(error) == where
    return False


def _where(error: Exception) -> str:
    """The innermost line of ours that it came from; a kind of failure has one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PROJECT) and frame.name != "expect"]
    frame = ours[-1]
    return f"{Path(frame.filename).relative_to(PROJECT)}:{frame.lineno} in {frame.name}: {type(error).__name__}"


def text(report: Report) -> str:
    """The report for people."""
    lines = []
    for finding in report.findings:
        lines += [f"FOUND {finding.count} × {finding.where}, first in batch {finding.batch}", f"  {finding.problem}"]
        lines.append(f"  {finding.culprit!r:.3000}" if finding.culprit else "  only after other inputs")
    read = sum(each.read for each in report.totals)
    accepted = sum(each.accepted for each in report.totals)
    codes: dict[str, int] = {}
    for each in report.totals:
        for code, count in each.codes.items():
            codes[code] = codes.get(code, 0) + count
    lines.append(
        f"{read:,} inputs in {report.seconds:.0f} s: {accepted:,} accepted, {sum(codes.values()):,} dead letters"
    )
    lines += [f"  {code:<15} {count:>9,}" for code, count in sorted(codes.items())]
    last = report.totals[-1]
    lines.append(f"at the end: {last.shipments:,} shipments, {last.scopes:,} scopes, {last.alerts:,} alerts said")
    lines.append(f"{len(report.findings)} findings" if report.findings else "nothing found")
    return "\n".join(lines)

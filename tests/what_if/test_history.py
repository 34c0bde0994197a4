"""A comparison of a simulated history: each variant as its own replay has it, the verdicts as judged one by one."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from stream.events import Event, Rejection, decode
from stream.records import Scope, encode
from stream.replay import Replay, replay
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from stream.what_if import Variant, WhatIf, what_if
from stream.what_if.result import Ruling
from tests.policy.facts import rules
from tests.what_if.naive import judged
from tests.what_if.sums import growth, moves

END = datetime(2026, 11, 1, tzinfo=UTC)
AS_OF = END - timedelta(days=2, hours=5)
BASELINE = Settings(min_counted=10)

STRICT = rules(
    "strict",
    ["DE", "FR"],
    'reuse = { treatment = "defect", grade = "D", source = ["ours"] }\n'
    '[[strict.rules.ambiguous]]\nopen = "?"\nvalue = "< 30 EUR"\ngrade = "D"\nsource = ["ours"]\n'
    '[[strict.rules.exempt]]\nreason = "low_value"\nvalue = "< 12 EUR"\nnot_ship_to = ["FR"]\n'
    'grade = "D"\nsource = ["ours"]\n',
)
"""Reuse is a defect, what is cheap is ambiguous or exempt, and letters count."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("history")
    config = SimulationConfig(
        start=END - timedelta(days=38), end=END, sellers=6, seed=5, scanned=0.6, duplicates=0.05, late=0.05
    )
    lines = [record.value + b"\n" for record in simulate_history(config, 2000)] + [b"{broken\n"]
    random.Random(3).shuffle(lines)  # noqa: S311 - an order, not a secret
    for name, part in (("a", lines[:900]), ("b", lines[900:])):
        (folder / name).write_bytes(b"".join(part))
    return [str(folder / "a"), str(folder / "b")]


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> list[Variant]:
    file = tmp_path_factory.mktemp("rules") / "strict rules.toml"
    file.write_text(STRICT)
    return [
        Variant.parse(text)
        for text in (
            "threshold=0.9",
            "valid_when=scan",
            "grace_hours=240",
            f"policy_file='{file}'",
            f"all: valid_when=scan grace_hours=1 policy_file='{file}' min_counted=5",
            "lag: lag_days=3",
            "same: min_counted=10",
        )
    ]


@pytest.fixture(scope="module")
def compared(files: list[str], variants: list[Variant]) -> tuple[WhatIf, list[Replay]]:
    return what_if(files, BASELINE, variants, as_of=AS_OF)


@pytest.fixture(scope="module")
def events(files: list[str]) -> list[Event]:
    lines = b"".join(Path(file).read_bytes() for file in files).splitlines()
    return [event for event in map(decode, lines) if not isinstance(event, Rejection)]


def said(result: Replay) -> tuple[object, ...]:
    return (
        result.as_of,
        [encode(metric) for metric in result.metrics],
        [encode(alert) for alert in result.alerts],
        result.summary,
    )


def test_each_variant_is_its_own_replay(
    files: list[str], variants: list[Variant], compared: tuple[WhatIf, list[Replay]]
) -> None:
    result, replays = compared
    settings = [BASELINE, *(variant.applied(BASELINE) for variant in variants)]
    assert len({msgspec.json.encode(each) for each in settings}) == len(variants)  # the last is the baseline again
    for each, together in zip(settings, replays, strict=True):
        alone = replay(files, each, as_of=AS_OF)
        assert alone.alerts
        assert said(together) == said(alone)
    assert result.as_of == AS_OF
    assert result.events == replays[0].summary.events == 2001


def test_verdicts_differ_as_each_policy_judges(
    events: list[Event], variants: list[Variant], compared: tuple[WhatIf, list[Replay]]
) -> None:
    before = judged(events, BASELINE, AS_OF)
    seen: Counter[tuple[str, str]] = Counter()
    for variant, comparison in zip(variants, compared[0].variants, strict=True):
        after = judged(events, variant.applied(BASELINE), AS_OF)
        expected = {
            (*key, before[key][:3], after[key][:3], after[key].live, before[key].official or after[key].official)
            for key in before.keys() & after.keys()
            if before[key][:3] != after[key][:3]
        }
        found = [
            (one.seller_id, one.shipment_id, _plain(each.baseline), _plain(each.variant), one.live, one.official)
            for each in comparison.verdicts
            for one in each.shipments
        ]
        assert len(found) == len(set(found))
        assert set(found) == expected
        seen.update((each[2][0], each[3][0]) for each in found)
    # What the test is about has happened.
    assert {("valid", "defect"), ("valid", "exempt"), ("exempt", "valid"), ("defect", "pending")} <= seen.keys()
    assert {("valid", "valid"), ("pending", "defect"), ("exempt", "defect")} <= seen.keys()


def _plain(ruling: Ruling) -> tuple[str, str | None, bool]:
    return ruling.outcome, ruling.reason, ruling.ambiguous


def test_verdict_differences_are_what_the_metrics_differ_by(compared: tuple[WhatIf, list[Replay]]) -> None:
    result, (baseline, *others) = compared
    for comparison, other in zip(result.variants, others, strict=True):
        if "lag_days" not in comparison.settings:  # then other shipments are in the official window
            assert moves(comparison) == growth(baseline.metrics, other.metrics)


def test_statuses_differ_as_the_metrics_do(compared: tuple[WhatIf, list[Replay]]) -> None:
    result, (baseline, *others) = compared
    ours = {metric.scope: metric for metric in baseline.metrics}
    total = 0
    for comparison, other in zip(result.variants, others, strict=True):
        theirs = {metric.scope: metric for metric in other.metrics}
        found = {Scope(each.seller_id, each.marketplace, each.category): each for each in comparison.statuses}
        assert len(found) == len(comparison.statuses)
        for scope in {*ours, *theirs}:
            one, another = ours.get(scope), theirs.get(scope)
            differs = (one and one.status) != (another and another.status)
            assert (scope in found) == differs
            if differs:
                assert (found[scope].baseline, found[scope].variant) == (one, another)
        total += len(found)
        assert comparison.totals.statuses == {
            status: sum(metric.status == status for metric in other.metrics) for status in ("breached", "at_risk", "ok")
        }
        live = [metric.live for metric in other.metrics if metric.marketplace is None]
        assert comparison.totals.live.counted == sum(counts.counted for counts in live)
        assert comparison.totals.live.exempt == sum(counts.exempt for counts in live)
    assert total > 20


def test_alert_differences_lead_from_one_replay_to_the_other(compared: tuple[WhatIf, list[Replay]]) -> None:
    result, (baseline, *others) = compared
    kinds: Counter[str] = Counter()
    for comparison, other in zip(result.variants, others, strict=True):
        gone = [encode(each.baseline) for each in comparison.alerts if each.baseline is not None]
        come = [encode(each.variant) for each in comparison.alerts if each.variant is not None]
        ours, theirs = map(encode, baseline.alerts), map(encode, other.alerts)
        left, arrived = Counter(ours), Counter(theirs)
        assert not Counter(gone) - left
        assert not Counter(come) - arrived
        left.subtract(gone)
        arrived.subtract(come)
        # What is in neither list is the same in both, at the same instant, though its numbers may differ.
        instants = [sorted(map(_instant, each.elements())) for each in (left, arrived)]
        assert instants[0] == instants[1]
        assert comparison.totals.alerts == {
            kind: sum(alert.type == kind for alert in other.alerts)
            for kind in ("vtr-breached", "vtr-at-risk", "vtr-recovered")
        }
        kinds.update(each.change for each in comparison.alerts)
    assert kinds.keys() == {"appears", "vanishes", "moves"}


def _instant(alert: bytes) -> tuple[str, ...]:
    fields = msgspec.json.decode(alert)
    return tuple(str(fields[name]) for name in ("since", "seller_id", "marketplace", "category", "status"))


def test_what_does_not_differ_is_not_said(compared: tuple[WhatIf, list[Replay]]) -> None:
    same = compared[0].variants[-1]
    assert (same.name, same.statuses, same.alerts, same.verdicts) == ("same", [], [], [])


def test_every_verdict_but_valid_has_its_rule(compared: tuple[WhatIf, list[Replay]]) -> None:
    groups = [each for comparison in compared[0].variants for each in comparison.verdicts]
    for each in groups:
        differs_in_outcome = (each.baseline.outcome, each.baseline.reason) != (
            each.variant.outcome,
            each.variant.reason,
        )
        for ruling in (each.baseline, each.variant):
            assert (ruling.rule is not None) == (ruling.reason is not None if differs_in_outcome else ruling.ambiguous)
    assert any(each.baseline.rule and each.variant.rule for each in groups)


def test_several_processes_and_any_order_give_the_same_bytes(
    files: list[str], variants: list[Variant], compared: tuple[WhatIf, list[Replay]]
) -> None:
    result, (baseline, *others) = compared
    again, replays = what_if(files[::-1], BASELINE, variants[4:6], as_of=AS_OF, processes=2)
    assert msgspec.json.encode(again) == msgspec.json.encode(replace(result, variants=result.variants[4:6]))
    assert [said(each)[:3] for each in replays] == [said(each)[:3] for each in (baseline, *others[4:6])]


def test_nothing_is_a_history_too(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for processes in (1, 2):
        result, _ = what_if([str(tmp_path / "empty")], BASELINE, [Variant.parse("threshold=0.9")], processes=processes)
        assert (result.as_of, result.events) == (None, 0)
        (only,) = result.variants
        assert (only.statuses, only.alerts, only.verdicts) == ([], [], [])

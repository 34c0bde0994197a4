"""The comparison itself: a history, read, decoded and sorted once, goes through an engine for each of the settings."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from stream.engine.scope import rate
from stream.policy import RulesPolicy
from stream.records import AlertType, Counts, Metric, Scope, Status, encode_key
from stream.replay import Replay, Source, find_sources
from stream.replay.player import Player
from stream.replay.processes import Show, in_shares
from stream.replay.run import History
from stream.replay.summary import joined
from stream.settings import Settings
from stream.what_if.alerts import alert_differences
from stream.what_if.result import Comparison, StatusDifference, Totals, VerdictDifference, WhatIf
from stream.what_if.variants import Variant
from stream.what_if.verdicts import merged, verdict_differences

STATUSES: tuple[Status, ...] = ("breached", "at_risk", "ok")
"""The worst first."""

ALERT_TYPES: tuple[AlertType, ...] = ("vtr-breached", "vtr-at-risk", "vtr-recovered")


class Replays(NamedTuple):
    """The replays by the baseline and then by each variant, and how the verdicts of each variant differ."""

    replays: list[Replay]
    verdicts: list[list[VerdictDifference]]


def what_if(
    sources: Sequence[str | Source],
    baseline: Settings,
    variants: Sequence[Variant],
    *,
    as_of: datetime | None = None,
    processes: int = 1,
    memory: int | None = None,
    show: Show | None = None,
) -> tuple[WhatIf, list[Replay]]:
    """What each variant would have said otherwise than the baseline of the same history, up to ``as_of`` (UTC-aware;
    default: the last event's time); and the replays, the baseline's first.

    Several processes give the same result as one. For the rest, and for what is raised, see
    :func:`~stream.replay.processes.in_shares`.
    """
    settings = [baseline, *(variant.applied(baseline) for variant in variants)]
    for each in settings:
        RulesPolicy.of(each)  # rules that cannot be used are better told before the history is read than after
    found = find_sources(sources)
    parts = in_shares(found, as_of, processes, partial(_replayed, settings), memory=memory, show=show)
    replays = [joined(each, found.paths) for each in zip(*(part.replays for part in parts), strict=True)]
    verdicts = [merged(each) for each in zip(*(part.verdicts for part in parts), strict=True)]
    ours, *theirs = replays
    comparisons = [
        Comparison(
            name=variant.name,
            settings=variant.settings,
            totals=_totals(replay),
            statuses=status_differences(ours.metrics, replay.metrics),
            alerts=alert_differences(ours.alerts, replay.alerts),
            verdicts=differences,
        )
        for variant, replay, differences in zip(variants, theirs, verdicts, strict=True)
    ]
    compared = WhatIf(as_of=ours.as_of, events=ours.summary.events, baseline=_totals(ours), variants=comparisons)
    return compared, replays


def _replayed(settings: Sequence[Settings], history: History, end: datetime | None) -> Replays:
    baseline, *variants = players = [Player(each) for each in settings]
    replays = history.play_all(players, end)
    if end is None:
        return Replays(replays, [[] for _ in variants])
    return Replays(replays, verdict_differences(baseline, variants, end))


def status_differences(baseline: Iterable[Metric], variant: Iterable[Metric]) -> list[StatusDifference]:
    """The scopes whose status differs, or that only one has; the worst first."""
    ours, theirs = ({metric.scope: metric for metric in metrics} for metrics in (baseline, variant))
    differences = [
        StatusDifference(
            seller_id=scope.seller_id,
            marketplace=scope.marketplace,
            category=scope.category,
            baseline=ours.get(scope),
            variant=theirs.get(scope),
        )
        for scope in {**ours, **theirs}
        if _status(ours, scope) != _status(theirs, scope)
    ]
    return sorted(differences, key=_badness)


def _status(metrics: dict[Scope, Metric], scope: Scope) -> Status | None:
    metric = metrics.get(scope)
    return None if metric is None else metric.status


def _badness(difference: StatusDifference) -> tuple[int, float, bytes]:
    """Sorts by the worse of the two statuses, and then by the lower of the two rates."""
    metrics = [metric for metric in (difference.baseline, difference.variant) if metric is not None]
    rates = [metric.live.vtr for metric in metrics if metric.live.vtr is not None]
    return (
        min(STATUSES.index(metric.status) for metric in metrics),
        min(rates, default=1.0),
        encode_key(metrics[0].scope),
    )


def _totals(replay: Replay) -> Totals:
    statuses = Counter(metric.status for metric in replay.metrics)
    alerts = Counter(alert.type for alert in replay.alerts)
    sellers = [metric.live for metric in replay.metrics if metric.marketplace is None]
    valid, defects = sum(live.valid for live in sellers), sum(live.defects for live in sellers)
    return Totals(
        statuses={status: statuses[status] for status in STATUSES},
        alerts={kind: alerts[kind] for kind in ALERT_TYPES},
        live=Counts(
            counted=valid + defects,
            valid=valid,
            defects=defects,
            pending=sum(live.pending for live in sellers),
            exempt=sum(live.exempt for live in sellers),
            ambiguous=sum(live.ambiguous for live in sellers),
            vtr=rate(valid, valid + defects),
        ),
    )

"""Which alerts of two replays of one history are the same, which are one at another time, and which are one's own.

An alert's status holds until the scope's next alert. Two alerts with the same scope and status speak of the same if
the times for which it holds overlap, though it may begin earlier in one than in the other.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from stream.records import Alert, Scope, Status, encode_key
from stream.what_if.result import AlertDifference

_NEVER = datetime.max.replace(tzinfo=UTC)


class _Spell(NamedTuple):
    """An alert, and until when its status holds."""

    alert: Alert
    until: datetime


def alert_differences(baseline: Sequence[Alert], variant: Sequence[Alert]) -> list[AlertDifference]:
    """What differs between the alerts of two replays, each in order of time, as they are given."""
    ours, theirs = _spells(baseline), _spells(variant)
    differences: list[AlertDifference] = []
    for kind in {**ours, **theirs}:
        differences += _compared(ours.get(kind, []), theirs.get(kind, []))
    return sorted(differences, key=_place)


def _place(difference: AlertDifference) -> tuple[datetime, bytes, str]:
    alerts = [alert for alert in (difference.baseline, difference.variant) if alert is not None]
    return min(alert.since for alert in alerts), encode_key(alerts[0].scope), alerts[0].status


def _spells(alerts: Sequence[Alert]) -> dict[tuple[Scope, Status], list[_Spell]]:
    spells: dict[tuple[Scope, Status], list[_Spell]] = {}
    next_since: dict[Scope, datetime] = {}
    for alert in reversed(alerts):
        until = next_since.get(alert.scope, _NEVER)
        spells.setdefault((alert.scope, alert.status), []).append(_Spell(alert, until))
        next_since[alert.scope] = alert.since
    return {kind: each[::-1] for kind, each in spells.items()}


def _compared(ours: list[_Spell], theirs: list[_Spell]) -> Iterator[AlertDifference]:
    """Of one scope and status. Neither's spells overlap each other."""
    same = {each.alert.since for each in ours} & {each.alert.since for each in theirs}
    left = [each for each in ours if each.alert.since not in same]
    right = [each for each in theirs if each.alert.since not in same]
    while left or right:
        if left and right and left[0].alert.since < right[0].until and right[0].alert.since < left[0].until:
            yield AlertDifference(change="moves", baseline=left.pop(0).alert, variant=right.pop(0).alert)
        elif not right or (left and left[0].alert.since < right[0].alert.since):
            yield AlertDifference(change="vanishes", baseline=left.pop(0).alert, variant=None)
        else:
            yield AlertDifference(change="appears", baseline=None, variant=right.pop(0).alert)

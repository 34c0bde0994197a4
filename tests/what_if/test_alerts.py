"""Which alerts of two replays are the same."""

from datetime import UTC, datetime, timedelta

import pytest

from stream.records import Alert, AlertType, Counts, Metric, OfficialCounts, Severity, Status
from stream.what_if.alerts import alert_differences

START = datetime(2026, 10, 1, tzinfo=UTC)
TYPES: dict[Status, AlertType] = {"ok": "vtr-recovered", "at_risk": "vtr-at-risk", "breached": "vtr-breached"}
SEVERITIES: dict[Status, Severity] = {"ok": "info", "at_risk": "warning", "breached": "critical"}


def alert(status: Status, day: int, seller_id: str = "A") -> Alert:
    counts = {"counted": 0, "valid": 0, "defects": 0, "pending": 0, "exempt": 0, "ambiguous": 0}
    since = START + timedelta(days=day)
    metric = Metric(
        seller_id=seller_id,
        marketplace=None,
        category=None,
        as_of=since,
        live=Counts(**counts, vtr=None),
        official=OfficialCounts(from_=since.date(), to=since.date(), **counts, vtr=None),
        threshold=0.95,
        status=status,
        allowance=0,
        needed_to_recover=0,
        policy="",
    )
    return Alert(
        alert_id="",
        type=TYPES[status],
        severity=SEVERITIES[status],
        seller_id=seller_id,
        marketplace=None,
        category=None,
        status=status,
        previous_status="ok",
        since=since,
        metric=metric,
        causes=[],
    )


Plain = tuple[Status, int]


@pytest.mark.parametrize(
    ("baseline", "variant", "differences"),
    [
        ([("breached", 1)], [("breached", 1)], []),
        ([("breached", 1)], [], [("vanishes", 1, None)]),
        ([], [("breached", 1)], [("appears", None, 1)]),
        ([("breached", 1)], [("breached", 3)], [("moves", 1, 3)]),
        # The one is over when the other begins.
        (
            [("breached", 1), ("ok", 3)],
            [("breached", 3)],
            [("vanishes", 1, None), ("appears", None, 3), ("vanishes", 3, None)],
        ),
        ([("breached", 1), ("ok", 4)], [("breached", 3), ("ok", 9)], [("moves", 1, 3), ("moves", 4, 9)]),
        # One long spell is the first of two short ones, and the second appears.
        (
            [("breached", 1)],
            [("breached", 2), ("ok", 3), ("breached", 4)],
            [("moves", 1, 2), ("appears", None, 3), ("appears", None, 4)],
        ),
        # What is at the same instant is the same, whatever is near it.
        (
            [("breached", 1), ("ok", 2), ("breached", 3)],
            [("breached", 3)],
            [("vanishes", 1, None), ("vanishes", 2, None)],
        ),
        # Another status is another alert.
        ([("breached", 1)], [("at_risk", 1)], [("appears", None, 1), ("vanishes", 1, None)]),
    ],
)
def test_spells_of_the_same_status_are_the_same_where_they_overlap(
    baseline: list[Plain], variant: list[Plain], differences: list[tuple[str, int | None, int | None]]
) -> None:
    found = alert_differences([alert(*each) for each in baseline], [alert(*each) for each in variant])
    assert [(each.change, _day(each.baseline), _day(each.variant)) for each in found] == differences


def _day(one: Alert | None) -> int | None:
    return None if one is None else (one.since - START).days


def test_scopes_do_not_mix() -> None:
    found = alert_differences([alert("breached", 1, "A")], [alert("breached", 1, "B")])
    assert [(each.change, (each.baseline or each.variant or alert("ok", 0)).seller_id) for each in found] == [
        ("vanishes", "A"),
        ("appears", "B"),
    ]

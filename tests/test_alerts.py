"""What an alert says, and the id under which it says it once."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from msgspec.structs import replace

from stream.engine.alerts import MAX_CAUSES, alert_id, causes, make_alert
from stream.engine.scope import ScopeState
from stream.engine.window import Counted, Kinds, Windows
from stream.policy import Outcome, Verdict
from stream.records import Alert, Cause, Counts, Metric, OfficialCounts, Scope, Status
from stream.span import Span
from tests.test_shipment import SHIPPED
from tests.test_status import levels

AS_OF = datetime(2026, 11, 22, 10, tzinfo=UTC)
SCOPE = Scope("A1", "DE")
METRIC = Metric(
    seller_id="A1",
    marketplace="DE",
    category=None,
    as_of=AS_OF,
    live=Counts(counted=20, valid=18, defects=2, pending=0, exempt=0, ambiguous=0, vtr=0.9),
    official=OfficialCounts(
        from_=date(2026, 10, 14),
        to=date(2026, 11, 12),
        counted=0,
        valid=0,
        defects=0,
        pending=0,
        exempt=0,
        ambiguous=0,
        vtr=None,
    ),
    threshold=0.95,
    status="breached",
    allowance=0,
    needed_to_recover=25,
    policy="rules",
)
HOUR = 500_000


def history(*statuses: Status, source: str = "vtr", scope: Scope = SCOPE) -> list[str]:
    ids = [""]
    for status in statuses:
        ids.append(alert_id(source, ids[-1], scope, status))
    return ids[1:]


def state(*leaves: list[tuple[str, str | None, int]]) -> tuple[ScopeState, Kinds]:
    """A scope over leaves with defects, given as reason, carrier and number, and the kinds of them."""
    scope, windows = ScopeState(SCOPE, levels(), "ok", ""), Windows(Span(10, HOUR))
    for defects in leaves:
        leaf = windows.new_leaf((scope,))
        for position, (reason, carrier, n) in enumerate(defects):
            kind = windows.kinds.number(Verdict(Outcome.DEFECT, reason, carrier))
            for _ in range(n):
                windows.add(Counted(SHIPPED, leaf, HOUR - position, 0, kind))
    return scope, windows.kinds


def alert_of(metric: Metric, *leaves: list[tuple[str, str | None, int]], previous: Status = "ok") -> Alert:
    scope, kinds = state(*leaves)
    return make_alert(scope, metric, previous, "vtr", kinds)


# --- Ids -------------------------------------------------------------------------------------------------------------


def test_ids_stay_the_same_across_processes_and_versions() -> None:
    # Consumers keep ids to drop repeats by: what is pinned here must never change.
    assert history("at_risk", "breached", "ok", "at_risk") == [
        "a6d5da49e8577a70e503200ee31f1208",
        "4eca8379febf948f01208b7354f1c403",
        "4b3941e504da81703d9d0eab5a45caba",
        "275f45d7785aae9129d9be2d056f5a61",
    ]


def test_each_alert_of_a_history_has_an_id_of_its_own() -> None:
    half: list[Status] = ["at_risk", "ok", "breached", "ok"]
    statuses = half * 20
    assert len(set(history(*statuses))) == len(statuses)


def test_histories_that_differ_anywhere_lead_to_different_ids() -> None:
    ids = [
        history("breached", "ok")[-1],
        history("at_risk", "ok")[-1],
        history("ok")[-1],
        history("breached", "ok", source="other")[-1],
        history("breached", "ok", scope=Scope("A1"))[-1],
        history("breached", "ok", scope=Scope("A1", "DE", "Home"))[-1],
        history("breached", "ok", scope=Scope("A1", None, "DE"))[-1],
        history("breached", "ok", scope=Scope('A1","DE'))[-1],
        history("breached", "ok", scope=Scope("A1\0", "DE"))[-1],
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "metric",
    [
        replace(METRIC, as_of=AS_OF + timedelta(hours=5)),
        replace(METRIC, live=Counts(counted=21, valid=1, defects=20, pending=9, exempt=9, ambiguous=0, vtr=0.0476)),
        replace(METRIC, threshold=0.9, policy="other rules", needed_to_recover=1),
    ],
    ids=["later", "other counts", "other rules"],
)
def test_when_and_how_a_status_was_reached_is_not_in_the_id(metric: Metric) -> None:
    # After a crash, the successor may come to the same conclusion at another instant, from another batch.
    first = alert_of(METRIC)
    again = alert_of(metric, [("no_carrier", None, 3)], previous="at_risk")
    assert first != again
    assert first.alert_id == again.alert_id == history("breached")[0]


def test_the_id_goes_on_from_the_last_alert_that_was_said() -> None:
    scope, kinds = state()
    scope.alert_id = history("at_risk")[-1]
    assert make_alert(scope, METRIC, "at_risk", "vtr", kinds).alert_id == history("at_risk", "breached")[-1]


@pytest.mark.parametrize(
    ("status", "type_", "severity"),
    [
        ("ok", "vtr-recovered", "info"),
        ("at_risk", "vtr-at-risk", "warning"),
        ("breached", "vtr-breached", "critical"),
    ],
)
def test_what_an_alert_says(status: Status, type_: str, severity: str) -> None:
    metric = replace(METRIC, status=status, category="Home")
    alert = alert_of(metric, [("no_carrier", None, 2)])
    assert (alert.type, alert.severity) == (type_, severity)
    assert (alert.status, alert.previous_status) == (status, "ok")
    assert (alert.scope, alert.since, alert.metric) == (Scope("A1", "DE", "Home"), AS_OF, metric)
    assert alert.causes == [Cause(reason="no_carrier", carrier=None, count=2)]


# --- Causes ----------------------------------------------------------------------------------------------------------


def test_causes_are_summed_over_hours_and_leaves() -> None:
    found = causes(
        *state(
            [("no_tracking", "DHL", 2), ("no_tracking", "DHL", 1), ("no_tracking", "UPS", 4)],
            [("no_tracking", "DHL", 2)],
        )
    )
    assert found == [
        Cause(reason="no_tracking", carrier="DHL", count=5),
        Cause(reason="no_tracking", carrier="UPS", count=4),
    ]


def test_causes_rank_by_count_then_by_name_in_whatever_order_they_came() -> None:
    ranked = [
        ("placeholder_number", "UPS", 3),
        ("no_carrier", None, 2),
        ("no_tracking", None, 2),
        ("no_tracking", "DHL", 2),
        ("no_tracking", "UPS", 2),
    ]
    expected = [Cause(reason=reason, carrier=carrier, count=n) for reason, carrier, n in ranked]  # type: ignore[arg-type]
    for order in permutations(ranked):
        assert causes(*state(list(order))) == expected


def test_only_the_most_frequent_are_named() -> None:
    found = causes(*state([("no_tracking", f"C{n}", n) for n in range(1, MAX_CAUSES + 3)]))
    assert [cause.count for cause in found] == [7, 6, 5, 4, 3]


def test_without_defects_there_are_no_causes() -> None:
    scope, windows = ScopeState(SCOPE, levels(), "ok", ""), Windows(Span(10, HOUR))
    leaf = windows.new_leaf((scope,))
    for hour, verdict in [
        (HOUR, Verdict(Outcome.VALID)),
        (HOUR, Verdict(Outcome.AWAITING, "no_tracking", "DHL", 24)),
        (HOUR - 720, Verdict(Outcome.DEFECT, "no_carrier")),
        (HOUR + 1, Verdict(Outcome.DEFECT, "no_carrier")),
    ]:
        windows.add(Counted(SHIPPED, leaf, hour, 0, windows.kinds.number(verdict)))
    assert causes(scope, windows.kinds) == []

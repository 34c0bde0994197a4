"""A report never disagrees with the engine: its counts are those of the metric of every scope, its rows the defects."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import event, given
from hypothesis import strategies as st

from stream.engine.scope import Totals
from stream.explain.standing import REASONS
from stream.policy import RulesPolicy
from stream.records import Counts, Metric, OfficialCounts, Scope
from stream.replay import Summary, replay
from stream.report import DefectReport, Selection, Window, defect_report
from stream.report.history import merged, read_history
from stream.report.judged import Judged, judged, scope_sums
from stream.shipment import Shipment, hour_of
from stream.simulator import SimulationConfig, simulate_history
from stream.state.rows import pack, unpack
from tests.explain.test_agreement import LAG_DAYS, long_histories, policies
from tests.test_engine_properties import DAY, HOUR, Line, all_decoded, ends, examples, lines

WINDOWS: tuple[Window, ...] = ("live", "official")


def agree(history: Sequence[Line], name: str, as_of: datetime) -> list[DefectReport]:
    """Asserts that the reports on all scopes are what a replay counts. Returns them."""
    settings, policy = policies()[name]
    with TemporaryDirectory() as folder, patch.object(RulesPolicy, "of", return_value=policy):
        file = Path(folder) / "history.ndjson"
        file.write_bytes(b"".join(line + b"\n" for line in history))
        metrics = replay([str(file)], settings, as_of=as_of).metrics
        sellers = {one.seller_id for one in all_decoded(history) if one.event_time <= as_of}
        known = {each: read_history([str(file)], each, Summary(), as_of=as_of) for each in sellers}
    found = {
        seller_id: list(judged(policy, settings.lag_days, merged(own.events, settings.lag_days), hour_of(as_of)))
        for seller_id, own in known.items()
    }
    are_the_sums([each for one in found.values() for each in one], metrics)
    reports = []
    for metric in metrics:
        seller_id = metric.seller_id
        for window in WINDOWS:
            selection = Selection(window=window, marketplace=metric.marketplace, category=metric.category)
            report = defect_report(seller_id, found[seller_id], selection, settings.lag_days, as_of)
            if metric.marketplace is None:
                assert known[seller_id].report(policy, settings.lag_days, selection) == report
            is_whole(report, metric)
            reports.append(report)
    return reports


def is_whole(report: DefectReport, metric: Metric) -> None:
    """The rows are exactly the metric's defects, in the metric's window."""
    counts = metric.live if report.window == "live" else metric.official
    for name in Counts.__struct_fields__:
        assert getattr(report.counts, name) == getattr(counts, name)
    assert len({(defect.order_id, defect.shipment_id) for defect in report.defects}) == counts.defects
    if report.window == "official":
        assert (report.from_.date(), report.to.date() - DAY) == (metric.official.from_, metric.official.to)
    for defect in report.defects:
        assert report.marketplace in (None, defect.marketplace)
        assert report.category in (None, defect.category)
        assert defect.reason in REASONS
        assert defect.what_to_do
        dated = defect.shipped_at if report.window == "live" else defect.promised_delivery_by
        assert report.from_ <= dated < report.to


def are_the_sums(shipments: Sequence[Judged], metrics: Sequence[Metric]) -> None:
    """What the engine has of every scope that has anything, and of no other."""
    expected: dict[tuple[Scope, Window], Totals] = {}
    for metric in metrics:
        both: tuple[Counts | OfficialCounts, ...] = (metric.live, metric.official)
        for window, counts in zip(WINDOWS, both, strict=True):
            sums = counts.valid, counts.defects, counts.pending, counts.exempt, counts.ambiguous
            if any(sums):
                expected[metric.scope, window] = sums
    assert scope_sums(shipments) == expected


@given(st.data())
@examples(25)
def test_crowded_histories(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(policies())))
    end = data.draw(ends())
    history = data.draw(lines(end, 24, LAG_DAYS, most=30))
    repeated = data.draw(st.lists(st.sampled_from(history), max_size=4))
    as_of = data.draw(st.sampled_from([end, end - HOUR, end - DAY, end + 3 * DAY]))
    for report in agree([*history, *repeated], name, as_of):
        event(f"{report.window} {min(len(report.defects), 3)} defects")
        for defect in report.defects:
            event(defect.reason)


@given(long_histories(), st.sampled_from(["by tracking", "by scan"]), st.integers(0, 48) | st.integers(0, 90 * 24))
@examples(30)
def test_histories_longer_than_anything_is_kept(history: list[Line], name: str, hours: int) -> None:
    agree(history, name, max(one.event_time for one in all_decoded(history)) + hours * HOUR)


@given(st.data())
@examples(25)
def test_what_a_deployment_keeps_leads_to_the_same(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(policies())))
    settings, policy = policies()[name]
    end = data.draw(ends())
    history = data.draw(lines(end, 24, LAG_DAYS, most=30))
    hour = hour_of(end + data.draw(st.sampled_from([timedelta(0), 3 * DAY])))
    kept: dict[str, Shipment] = {}
    for one in data.draw(st.permutations(all_decoded(history))):
        if one.seller_id == "A":
            kept.setdefault(one.shipment_id, Shipment()).merge(one)
    stored = {each: unpack(("A", each), pack(0, shipment)) for each, shipment in kept.items()}
    own = merged([one for one in all_decoded(history) if one.seller_id == "A"], settings.lag_days)
    found, expected = (scope_sums(judged(policy, settings.lag_days, each, hour)) for each in (stored, own))
    assert found == expected


def test_a_simulated_history_of_every_policy() -> None:
    end = datetime(2026, 11, 1, tzinfo=UTC)
    config = SimulationConfig(start=end - 50 * DAY, end=end, sellers=4, seed=5, scanned=0.6, duplicates=0.05, late=0.05)
    history = [record.value for record in simulate_history(config, 4000)]
    for name in policies():
        for as_of in (end, end - 9 * DAY - 11 * HOUR):
            reports = agree(history, name, as_of)
            for window in WINDOWS:
                assert sum(len(report.defects) for report in reports if report.window == window) > 20

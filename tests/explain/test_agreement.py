"""An explanation never disagrees with the engine: those of all shipments add up to the metrics of a replay."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.deployment import SellerShipments
from stream.explain import Explanation
from stream.explain.history import read_history
from stream.explain.live import explain_kept
from stream.policy import RulesPolicy
from stream.replay import Summary, replay
from stream.settings import Settings
from stream.shipment import Shipment
from stream.simulator import SimulationConfig, simulate_history
from stream.simulator.tracking_numbers import dhl
from stream.state.rows import pack, unpack
from tests.explain.sums import of_explanations, of_metrics
from tests.policy.facts import rules
from tests.test_engine_properties import DAY, HOUR, Line, all_decoded, ends, examples, lines, shipped, to_json, tracked

LAG_DAYS = 10

STRICT = rules(
    "strict",
    ["DE", "FR"],
    'reuse = { treatment = "defect", grade = "D", source = ["ours"] }\n'
    '[[strict.rules.ambiguous]]\nopen = "?"\nvalue = "< 1000 JPY"\ngrade = "D"\nsource = ["ours"]\n'
    '[[strict.rules.exempt]]\nreason = "low_value"\nvalue = "< 5.5 EUR"\ngrade = "D"\nsource = ["ours"]\n',
)
"""Reuse is a defect, which none of the product's own rules says; what is cheap is ambiguous or exempt."""


@cache
def policies() -> dict[str, tuple[Settings, RulesPolicy]]:
    """Read once: reading the rules takes longer than an example."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "strict.toml"
        file.write_text(STRICT)
        each = {
            "own rules": Settings(),
            "by tracking": Settings(policy_file=str(file), grace_hours=24),
            "by scan": Settings(policy_file=str(file), valid_when="scan", grace_hours=1),
        }
        return {name: (settings, RulesPolicy.of(settings)) for name, settings in each.items()}


def agree(history: Sequence[Line], name: str, as_of: datetime) -> list[Explanation]:
    """Asserts that the explanations of all shipments add up to what a replay counts. Returns them."""
    settings, policy = policies()[name]
    with TemporaryDirectory() as folder, patch.object(RulesPolicy, "of", return_value=policy):
        file = Path(folder) / "history.ndjson"
        file.write_bytes(b"".join(line + b"\n" for line in history))
        replayed = replay([str(file)], settings, as_of=as_of)
        shipments: dict[str, dict[str, None]] = {}
        for one in all_decoded(history):
            if one.event_time <= as_of:
                shipments.setdefault(one.seller_id, {})[one.shipment_id] = None
        explanations = []
        for seller_id, shipment_ids in shipments.items():
            known = read_history([str(file)], seller_id, next(iter(shipment_ids)), Summary(), as_of=as_of)
            explanations += [known.explain(policy, settings.lag_days, each) for each in shipment_ids]
    assert of_explanations(explanations) == of_metrics(replayed.metrics)
    for each in explanations:
        is_consistent(each)
    return explanations


def is_consistent(explanation: Explanation) -> None:
    """The timeline leads to the verdict, each step from the one before, and the checks lead to it too."""
    times = [change.at for change in explanation.timeline]
    assert times == sorted(times)
    assert times[-1] <= explanation.as_of
    assert explanation.timeline[0].before.outcome == "not_shipped"
    for earlier, later in zip(explanation.timeline, explanation.timeline[1:], strict=False):
        assert later.before == earlier.after
    assert explanation.timeline[-1].after == explanation.verdict
    failed = [check.check for check in explanation.checks if check.result == "failed"]
    pending = [check.check for check in explanation.checks if check.result == "pending"]
    outcome = explanation.verdict.outcome
    assert len(failed) == (outcome == "defect")
    assert len(pending) == (outcome == "pending")


@given(st.data())
@examples(50)
def test_crowded_histories(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(policies())))
    end = data.draw(ends())
    history = data.draw(lines(end, 24, LAG_DAYS, most=30))
    repeated = data.draw(st.lists(st.sampled_from(history), max_size=4))
    as_of = data.draw(st.sampled_from([end, end - HOUR, end - DAY, end + 3 * DAY]))
    for each in agree([*history, *repeated], name, as_of):
        event(each.verdict.outcome)
        event(f"{len(each.timeline)} changes")


@given(st.data())
@examples(50)
def test_what_a_deployment_keeps_leads_to_the_same(data: st.DataObject) -> None:
    """Of shorter histories than anything is kept, the latest facts tell all but how they came about."""
    name = data.draw(st.sampled_from(sorted(policies())))
    settings, policy = policies()[name]
    end = data.draw(ends())
    history = data.draw(lines(end, 24, LAG_DAYS, most=30))
    as_of = end + data.draw(st.sampled_from([timedelta(0), 3 * DAY]))
    kept = {each: SellerShipments({}, as_of.replace(minute=0, second=0), 0) for each in ("A", "A1")}
    for one in sorted(all_decoded(history), key=lambda one: (one.event_time, one.event_id)):
        kept[one.seller_id].shipments.setdefault(one.shipment_id, Shipment()).merge(one)
    for each in agree(history, name, as_of):
        shipments = kept[each.seller_id].shipments
        shipments |= {
            shipment_id: unpack((each.seller_id, shipment_id), pack(0, shipment))
            for shipment_id, shipment in shipments.items()
        }
        found = explain_kept(policy, settings.lag_days, kept[each.seller_id], each.shipment_id)
        assert replace(found, **dict.fromkeys(HOW)) == replace(each, **dict.fromkeys(HOW))
        if shipments[each.shipment_id].entries:
            event("earlier numbers")


HOW = ("as_of", "read_from", "timeline", "unchanged_events")
"""What of an explanation is about the way to it."""


# --- Longer than anything is kept ------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
START = datetime(2025, 7, 7, 7, tzinfo=UTC)
KEPT = 40 * DAY
"""How long a fact is kept at least: the gaps between events lie around it."""

NUMBERS = [dhl(123_456, 1)] * 5 + [dhl(123_456, 2), None, "N/A"]
GAPS = [timedelta(0), MINUTE, HOUR, DAY, KEPT - HOUR, KEPT - HOUR, KEPT, KEPT, KEPT + HOUR]
KINDS = ["shipped", "tracked", "tracked", "delivered"]


@st.composite
def long_histories(draw: st.DrawFn) -> list[Line]:
    """Shipments whose next event comes when they have just been forgotten, or just not yet."""
    history = []
    at = START
    for number in range(draw(st.sampled_from([4, 7, 12]))):
        at = (at + draw(st.sampled_from(GAPS))).replace(minute=draw(st.sampled_from([0, 1, 30, 58, 59])))
        shipment_id = draw(st.sampled_from("112"))
        fields: dict[str, object] = {
            "event_id": str(number),
            "event_time": at,
            "seller_id": draw(st.sampled_from("AAAAAB")),
        }
        kind = draw(st.sampled_from(KINDS))
        if kind == "shipped":
            promised = at + draw(st.sampled_from([timedelta(0), 3 * DAY, 50 * DAY]))
            order_id = draw(st.sampled_from([f"order-{shipment_id}"] * 3 + ["order-1"]))
            history.append(shipped(shipment_id, at, promised_delivery_by=promised, order_id=order_id, **fields))
        elif kind == "tracked":
            history.append(tracked(shipment_id, at, tracking_number=draw(st.sampled_from(NUMBERS)), **fields))
        else:
            history.append(to_json(type="tracking-scanned", shipment_id=shipment_id, milestone=kind, **fields))
    return draw(st.permutations(history))


@given(long_histories(), st.sampled_from(["by tracking", "by scan"]), st.integers(0, 48) | st.integers(0, 90 * 24))
@examples(100)
def test_long_histories(history: list[Line], name: str, hours: int) -> None:
    last = max(one.event_time for one in all_decoded(history))
    for each in agree(history, name, last + hours * HOUR):
        for change in each.timeline:
            event(change.cause)
            if "forgotten" in change.text:
                event("forgotten")
            if change.shipment_id != each.shipment_id:
                event("of another shipment")


@pytest.mark.parametrize(("hours", "is_forgotten"), [(959, False), (960, True), (961, True)])
@pytest.mark.parametrize("another_minutes_before", [0, 1, 31, 32, 92])
def test_forgetting_to_the_hour(hours: int, another_minutes_before: int, is_forgotten: bool) -> None:
    """It is forgotten when its hour has come, whether or not anybody else had an event before."""
    again = START + hours * HOUR + 30 * MINUTE
    history = [
        shipped("1", START),
        tracked("1", START + MINUTE),
        shipped("9", again - another_minutes_before * MINUTE, seller_id="B"),
        shipped("1", again, event_id="2"),
    ]
    first, *_ = agree(history, "by tracking", again + HOUR)
    assert first.shipment_id == "1"
    assert first.verdict.outcome == ("pending" if is_forgotten else "valid")


# --- As in life ------------------------------------------------------------------------------------------------------


def test_a_simulated_history() -> None:
    end = datetime(2026, 11, 1, tzinfo=UTC)
    config = SimulationConfig(start=end - 50 * DAY, end=end, sellers=4, seed=5, scanned=0.6, duplicates=0.05, late=0.05)
    history = [record.value for record in simulate_history(config, 2000)]
    for name in policies():
        for as_of in (end, end - 9 * DAY - 11 * HOUR):
            found = agree(history, name, as_of)
            assert {each.verdict.outcome for each in found} >= {"valid", "defect", "exempt"}
            assert any(each.unchanged_events for each in found)

"""Our number is the one that a replay counts, for the same window and as of the same instant."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.policy import RulesPolicy
from stream.reconcile.ours import SellersShipments, Window, counts
from stream.replay import replay
from stream.settings import Settings
from stream.simulator import SimulationConfig, simulate_history
from tests.explain.test_agreement import LAG_DAYS, policies
from tests.policy.facts import at
from tests.test_engine_properties import DAY, HOUR, Line, all_decoded, ends, examples, lines


def agree(history: Sequence[Line], settings: Settings, as_of: datetime) -> int:
    """Asserts that our numbers of all scopes are the replay's official ones. Returns how many shipments they count."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "history.ndjson"
        file.write_bytes(b"".join(line + b"\n" for line in history))
        metrics = replay([str(file)], settings, as_of=as_of).metrics
    decoded = all_decoded(history)
    counted = 0
    sellers: dict[str, SellersShipments] = {}
    for metric in metrics:
        seller_id, marketplace, category = metric.scope
        if seller_id not in sellers:
            own = [each for each in decoded if each.seller_id == seller_id]
            sellers[seller_id] = SellersShipments(own, settings)
        official = metric.official
        window = Window(official.from_, official.to)
        ours = counts(
            each
            for each in sellers[seller_id].judged(as_of)
            if window.has(each.promised)
            and marketplace in (None, each.shipped.marketplace)
            and category in (None, each.shipped.category)
        )
        for name in ("counted", "valid", "defects", "pending", "exempt", "ambiguous", "vtr"):
            assert getattr(ours, name) == getattr(official, name), (metric.scope, name)
        counted += ours.shipments
    return counted


@given(st.data())
@examples(15)
def test_crowded_histories(data: st.DataObject) -> None:
    settings, policy = policies()[data.draw(st.sampled_from(sorted(policies())))]
    end = data.draw(ends())
    history = data.draw(lines(end, 24, LAG_DAYS, most=30))
    as_of = data.draw(st.sampled_from([end, end - DAY, end + 3 * DAY, end + 12 * DAY + HOUR]))
    with patch.object(RulesPolicy, "of", return_value=policy):
        event(f"{min(agree(history, settings, as_of), 5)} shipments or more")


def test_a_simulated_history() -> None:
    config = SimulationConfig(start=at("2026-08-20"), end=at("2026-10-31"), sellers=4, seed=5, malformed=0.0)
    history = [record.value for record in simulate_history(config, 1500)]
    for settings in (Settings(), replace(Settings(), valid_when="scan")):
        assert agree(history, settings, at("2026-10-25T23:59:59")) > 200
    assert timedelta(days=LAG_DAYS) == timedelta(days=Settings().lag_days)

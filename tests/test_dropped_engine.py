"""An engine that is dropped, as at every rebalance: nothing of it may stay."""

import gc
import sys
from collections.abc import Iterator

import pytest

from stream.settings import Settings
from tests.test_engine_properties import DAY, HOUR, MIDNIGHT, Run, Step, shipments, shipped


@pytest.fixture
def _collector_is_off() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_collector_is_off")
@pytest.mark.parametrize("is_strict", [False, True])
def test_it_is_gone_at_once(is_strict: bool) -> None:
    """The cycle collector does not see its scopes and leaves, so a cycle of them would stay for ever; and a worker that
    has so few objects for it may not run it for long."""
    shipped_at = MIDNIGHT - 3 * DAY
    subject = Run(Settings(), is_strict)
    # An alert, and a scope that goes when its only shipment turns out to be of another category.
    subject.step(Step([*shipments(90, 10, shipped_at), shipped("x", shipped_at, category="Toys")], MIDNIGHT))
    subject.step(Step([shipped("x", shipped_at, event_id="x2", category="Home")], MIDNIGHT + HOUR))
    subject.restart()
    subject.step(Step([shipped("y", MIDNIGHT + HOUR, category="Toys")], MIDNIGHT + DAY))
    assert subject.alerts
    assert len(subject.engine.take_metrics(1)) == 1, "others are left over"
    assert subject.engine.has_due_metrics
    subject.apply([shipped("z", MIDNIGHT, category="Books")])
    subject.engine.kept()
    assert subject.engine.silences()
    scopes = subject.engine.scopes()
    assert len(scopes) == 5
    # What every scope refers to, and every leaf through its scopes.
    levels = list({id(state.levels): state.levels for state in scopes}.values())
    assert sum(map(sys.getrefcount, levels)) > len(scopes)
    del scopes, subject
    assert list(map(sys.getrefcount, levels)) == list(map(sys.getrefcount, [object() for _ in levels]))

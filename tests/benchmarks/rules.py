"""What the rules cost the engine: a history with them, and with a policy that looks at nothing but the number."""

import gc
import time
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from itertools import chain
from pathlib import Path

from stream.engine import Engine, EngineSettings
from stream.events import Event, Milestone, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy import Outcome, Policy, RulesPolicy, Standard, Verdict
from stream.replay import Summary, usable_events
from stream.settings import Settings
from stream.state import HeldShipments
from tests.benchmarks.bench import Bench
from tests.benchmarks.history import simulate
from tests.benchmarks.measure import Spread

STEP = 100
"""Events that the engine takes at once."""

SCANNED = 0.3
"""The share of shipments with scans, which the simulator has by default."""


class NumberGiven:
    """What has a number is valid, what has none awaits one: so the windows have as much to move as with the rules."""

    judges_reuse = False
    milestones: frozenset[Milestone] = frozenset({"delivered"})
    """Those of the rules, so that the engine asks as often."""

    _valid = Verdict(Outcome.VALID)
    _awaiting = Verdict(Outcome.AWAITING, "no_tracking", None, 24)
    _standard = Standard(Fraction(95, 100), "none")

    def rules_for(self, shipped: OrderShipped) -> "NumberGiven":  # noqa: ARG002 - the same for all
        """These."""
        return self

    def judge(
        self,
        shipped: OrderShipped,  # noqa: ARG002 - only the number counts
        tracking: TrackingUploaded | None,
        scans: Sequence[TrackingScanned],  # noqa: ARG002
        entered_at: datetime | None,  # noqa: ARG002
        is_reused: bool,  # noqa: ARG002
    ) -> Verdict:
        """Valid, or awaiting a number."""
        return self._awaiting if tracking is None or tracking.tracking_number is None else self._valid

    def standard(self, marketplace: str | None, hour: int) -> Standard:  # noqa: ARG002 - one for all
        """The same for all."""
        return self._standard


def run(bench: Bench) -> None:
    """CPU time of the engine alone: the events are decoded and sorted before."""
    file = simulate(bench.options.events, bench.options.sellers, bench.folder / "scanned.ndjson", SCANNED)
    events = _events(file)
    policies: dict[str, Policy] = {
        "number given": NumberGiven(),
        "the product's rules": RulesPolicy.of(Settings()),
    }
    microseconds: dict[str, list[float]] = {name: [] for name in policies}
    for _ in range(bench.options.rounds):
        for name, policy in policies.items():
            microseconds[name].append(_seconds(events, policy) / len(events) * 1e6)
    without, with_rules = microseconds.values()
    added = Spread.of([more - less for less, more in zip(without, with_rules, strict=True)])
    bench.report.say("## Rules")
    bench.report.say(
        f"CPU time of the engine per event, over {len(events):,} events in steps of {STEP}, decoded before. Of the "
        f"shipments {SCANNED:.0%} have scans.",
    )
    rows = [[name, Spread.of(times).text(2)] for name, times in microseconds.items()]
    bench.report.table(["", "µs/event"], [*rows, ["added by the rules", added.text(2)]])


def _events(file: Path) -> list[Event]:
    events = chain.from_iterable(usable_events([str(file)], Summary(), None))
    return sorted(events, key=lambda event: (event.event_time, event.event_id))


def _seconds(events: Sequence[Event], policy: Policy) -> float:
    settings = EngineSettings.of(Settings())
    shipments = HeldShipments(settings.lag_days)
    engine = Engine(policy, settings, shipments)
    gc.collect()
    started = time.process_time()
    for start in range(0, len(events), STEP):
        step = events[start : start + STEP]
        engine.apply(step)
        shipments.forget(engine.advance(step[-1].event_time).shipments)
    return time.process_time() - started

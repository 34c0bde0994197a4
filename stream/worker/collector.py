"""The metrics of a worker that are read when Prometheus asks.

From the live partitions: those of one that went elsewhere are gone with it. Runs in the web server's thread and reads
what the event loop changes meanwhile, so each number is true and two of them may be of different moments.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import chain, product
from time import monotonic, time
from typing import TYPE_CHECKING, cast, get_args

from prometheus_client.registry import Collector

from stream.engine.scope import ScopeState
from stream.events import RejectionCode
from stream.monitoring import metrics
from stream.monitoring.metrics import Family, distribution, family
from stream.monitoring.sellers import Rated, SellerChoice
from stream.records import AlertType, Scope, Status
from stream.settings import Settings
from stream.shipment import EPOCH, HOUR
from stream.worker import facts
from stream.worker.consumer import BatchConsumer
from stream.worker.health import troubles
from stream.worker.silences import Silences

if TYPE_CHECKING:
    from stream.worker.app import VtrApp

LEVELS = ("seller", "marketplace", "category")

STATUS_VALUES: dict[Status, int] = {"ok": 0, "at_risk": 1, "breached": 2}
"""What stands for a status in the metric of one seller; the help of that metric says so."""

_VERSION = version("vtr-stream")


class WorkerCollector(Collector):
    """Reads the worker at each scrape."""

    def __init__(self, app: "VtrApp", settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._sellers = SellerChoice.parse(settings.metrics_sellers or "")
        self._silences = Silences()

    def collect(self) -> Iterator[Family]:
        """All that is not measured by the batch."""
        yield family(metrics.BUILD, {(_VERSION,): 1})
        yield from self._work()
        yield from self._place()
        yield from self._state()
        yield from self._rates()

    def _work(self) -> Iterator[Family]:
        processor = self._app.processor
        outcomes = ("accepted", *(code.value for code in RejectionCode))
        # From 0 on: what appears at 1 shows no increase.
        events: dict[tuple[str, ...], float] = dict.fromkeys(product(self._settings.input_topics, outcomes), 0.0)
        events |= {labels: count for labels, count in processor.outcomes.copy().items()}  # noqa: C416 - wider keys
        yield family(metrics.EVENTS, events)
        alerts = dict.fromkeys(get_args(AlertType), 0.0) | processor.alerts_said.copy()
        yield family(metrics.ALERTS, {(kind,): count for kind, count in alerts.items()})

    def _place(self) -> Iterator[Family]:
        partitions = self._app.processor.partitions()
        as_of = {number: partition.engine.as_of for number, partition in partitions.items()}
        yield family(
            metrics.WATERMARK,
            {(str(number),): instant.timestamp() for number, instant in as_of.items() if instant != EPOCH},
        )
        # Not `app.consumer`, which would make one, and in the wrong thread.
        consumer = cast("BatchConsumer | None", self._app._consumer)
        if consumer is None:
            return
        lags = facts.lags(consumer)
        yield family(metrics.LAG, {(tp.topic, str(tp.partition)): lag for tp, lag in sorted(lags.items())})
        yield family(metrics.LAST_POLL, {(): _instant(consumer.last_poll_at)})
        yield family(metrics.COMMITS, {(): consumer.commits})
        yield family(metrics.COMMIT_FAILURES, {(): consumer.failed_commits})
        last = consumer.last_commit_at
        yield family(metrics.LAST_COMMIT, {} if last is None else {(): _instant(last)})

    def _state(self) -> Iterator[Family]:
        known = self._app.health.facts()
        yield family(metrics.READY, {(): not troubles(known)})
        yield family(metrics.ASSIGNED, {(): len(known.assigned_partitions)})
        yield family(metrics.TASKS, {(): len(asyncio.all_tasks(self._app.loop))})
        processor = self._app.processor
        took = processor.restored_within
        yield family(metrics.RESTORE_DURATION, {} if took is None else {(): took})
        yield family(metrics.SHIPMENTS, {(str(number),): held for number, held in processor.shipments.sizes().items()})

    def _rates(self) -> Iterator[Family]:
        least = self._settings.min_counted
        partitions = self._app.processor.partitions()
        scopes: dict[tuple[str, ...], float] = {}
        ratios: dict[tuple[str, ...], list[float]] = {}
        rated: list[Rated] = []
        for number, partition in partitions.items():
            labels = (str(number),)
            scopes |= dict.fromkeys(product(labels, LEVELS, get_args(Status)), 0.0)
            in_partition = self._take(partition.engine.scopes(), labels, scopes)
            ratios[labels] = [each.ratio for each in in_partition if each.counted >= least]
            rated += in_partition
        yield family(metrics.SCOPES, scopes)
        yield distribution(metrics.SELLERS_RATIO, ratios)
        silences = self._silences.of({number: partition.engine for number, partition in partitions.items()})
        yield distribution(
            metrics.SELLERS_SILENCE,
            {(str(number),): [HOUR * hours for hours in each.values()] for number, each in silences.items()},
        )
        chosen = self._sellers.of(rated, least)
        yield family(metrics.SELLER_RATIO, {(each.seller,): each.ratio for each in chosen})
        yield family(metrics.SELLER_STATUS, {(each.seller,): STATUS_VALUES[each.status] for each in chosen})
        yield family(metrics.SELLER_COUNTED, {(each.seller,): each.counted for each in chosen})
        yield family(metrics.SELLER_ALLOWANCE, {(each.seller,): each.allowance for each in chosen})
        yield family(metrics.SELLER_SILENCE, self._chosen_silences(chosen, silences))

    def _take(
        self, states: Iterable[ScopeState], partition: tuple[str], scopes: dict[tuple[str, ...], float]
    ) -> list[Rated]:
        """Count the scopes of a partition. Returns its sellers with anything counted."""
        rated = []
        for state in states:
            scopes[*partition, _level(state.scope), state.status] += 1
            valid = state.live.valid
            counted = valid + state.live.defects
            if state.scope.marketplace is None and counted:
                status = state.status
                allowance = state.levels.allowance(status, valid, counted) if self._sellers else 0
                rated.append(Rated(valid / counted, -counted, state.scope.seller_id, allowance, status))
        return rated

    def _chosen_silences(
        self, chosen: Iterable[Rated], silences: Mapping[int, Mapping[str, int]]
    ) -> dict[tuple[str, ...], float]:
        """In seconds, of the chosen sellers and of those that are silent for longest."""
        if not self._sellers:
            return {}
        hours = dict(chain.from_iterable(each.items() for each in silences.values()))
        said = {each.seller: hours[each.seller] for each in chosen if each.seller in hours}
        return {(seller,): HOUR * each for seller, each in (said | self._sellers.silent(hours)).items()}


def _level(scope: Scope) -> str:
    if scope.marketplace is None:
        return "seller"
    return "marketplace" if scope.category is None else "category"


def _instant(monotonic_seconds: float) -> float:
    return round(time() - (monotonic() - monotonic_seconds), 3)

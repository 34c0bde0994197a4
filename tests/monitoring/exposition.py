"""What a scrape says, read by Prometheus' own parsers."""

from collections import defaultdict
from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Said = Mapping[str, Mapping[tuple[str, ...], float]]
"""Samples by their names and the values of their labels, these in the order of the labels' names."""


def exposed(registry: CollectorRegistry) -> str:
    """A scrape in Prometheus' text form. Fails where the form that Prometheus asks for first says anything else."""
    text, openmetrics = (choose_encoder(accept)[0](registry).decode() for accept in ("", OPENMETRICS))
    said = parsed(text)
    also: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parse_openmetrics(openmetrics):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            also.setdefault(sample.name, {})[_labels(sample.labels)] = sample.value
    varying = "process_"  # what the process took for the first form
    assert {name: values for name, values in said.items() if not name.startswith(varying)} == {
        name: values for name, values in also.items() if not name.startswith(varying)
    }
    return text


def parsed(text: str) -> Said:
    """The samples of a scrape."""
    said: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in parse_text(text):
        for sample in family.samples:
            labels = _labels(sample.labels)
            assert labels not in said[sample.name], f"{sample.name} {labels} is there twice"
            said[sample.name][labels] = sample.value
    return dict(said)


def _labels(labels: Mapping[str, str]) -> tuple[str, ...]:
    # The outcome of an event comes behind its topic, as in the metric's own definition.
    return tuple(value for _, value in sorted(labels.items(), key=lambda item: (_RANK.get(item[0], 0), item[0])))


_RANK = {"topic": -1, "outcome": 1, "partition": 1}

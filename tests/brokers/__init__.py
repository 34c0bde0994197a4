"""The brokers that tests run on, and the choice between them.

``VTR_TEST_BROKER`` is ``auto`` (Apache Kafka where it can be had, else the embedded broker), ``kafka``, ``embedded``
or ``both``.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from stream.embedded import BrokerProcess, EmbeddedBroker
from stream.kafka.cluster import Cluster
from tests.brokers import apache_kafka
from tests.brokers.apache_kafka import KafkaNode
from tests.environment import in_ci

__all__ = ["VARIABLE", "Broker", "Choice", "ChoiceError", "KafkaNode", "Kind", "choose", "names", "running", "wanted"]

VARIABLE = "VTR_TEST_BROKER"

Kind = Literal["kafka", "embedded"]
Wanted = Literal["auto", "kafka", "embedded", "both"]


class ChoiceError(Exception):
    """The tests cannot run on the broker they have to run on. The message is one line that says why."""


@dataclass(frozen=True)
class Broker:
    """A running broker, as the fixture ``broker`` gives it."""

    name: str
    url: str
    is_embedded: bool
    process: BrokerProcess

    @property
    def cluster(self) -> Cluster:
        """It, as clients take it."""
        return Cluster(broker=self.url)


@dataclass(frozen=True)
class Choice:
    """The brokers a run uses, and why Apache Kafka is not one of them."""

    kinds: tuple[Kind, ...]
    why_not_kafka: str | None = None


def wanted(environ: Mapping[str, str]) -> Wanted:
    """The value of ``VTR_TEST_BROKER``."""
    value = environ.get(VARIABLE) or "auto"
    for known in get_args(Wanted):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise ChoiceError(f"{VARIABLE} is {value!r}; expected one of {', '.join(get_args(Wanted))}")


def choose(environ: Mapping[str, str], unavailable: Callable[[], str | None] = apache_kafka.unavailable) -> Choice:
    """The brokers to use. Raises :class:`ChoiceError` where Apache Kafka is needed and cannot be had.

    In CI it is always needed unless the embedded broker is asked for: the reference broker must not drop out of
    the checks because a download failed one day.
    """
    want = wanted(environ)
    if want == "embedded":
        return Choice(("embedded",), f"{VARIABLE}=embedded")
    reason = unavailable()
    if reason is None:
        return Choice(("kafka", "embedded") if want == "both" else ("kafka",))
    if want != "auto":
        raise ChoiceError(f"{VARIABLE}={want}, and Apache Kafka cannot be had here: {reason}")
    if in_ci(environ):
        raise ChoiceError(f"CI is set, and Apache Kafka cannot be had here: {reason} (or set {VARIABLE}=embedded)")
    return Choice(("embedded",), reason)


def names() -> dict[Kind, str]:
    """What to call the brokers in reports."""
    return {"kafka": f"Apache Kafka {apache_kafka.version()}", "embedded": EmbeddedBroker.name}


@contextmanager
def running(kind: Kind) -> Iterator[Broker]:
    """A broker of that kind, empty at first and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="vtr-test-broker-") as folder:
        process: BrokerProcess = KafkaNode(Path(folder)) if kind == "kafka" else EmbeddedBroker()
        with process:
            yield Broker(process.name, process.url, is_embedded=kind == "embedded", process=process)

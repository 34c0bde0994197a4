"""The topics the worker reads and writes: how they are declared, and what is checked before a worker starts.

They are co-partitioned: a seller's events, metrics, alerts and shipments have the same partition number in each
topic, so they must have the same number of partitions. Dead letters keep the partition they came from.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from msgspec import Struct

from stream.kafka.clients import BrokerError, connected_admin, partition_counts, topic_configs
from stream.kafka.cluster import Cluster
from stream.settings import Settings

ALERT_HISTORY = timedelta(days=90)
"""Alerts are compacted only after this long: until then the topic is their history, afterwards each scope's state."""

DEAD_LETTER_RETENTION = timedelta(days=30)
"""As long as the live window: what is repaired later could no longer count."""

DEAD_LETTER_MAX_BYTES = 2 * 1024 * 1024
"""A dead letter is a whole record, of 1 MiB by Kafka's default limit, and the headers that say why."""

VISIBLE_TIMEOUT = 10.0
"""Seconds in which new topics must have leaders; a cluster elects them within one."""


class TopicError(BrokerError):
    """A topic is missing, or does not fit the others. The message is one line that names it and what to do."""


class TopicSpec(Struct, frozen=True):
    """A topic as it is declared; ``configs`` are Kafka's own names and values."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


class CreateReport(Struct, frozen=True):
    """Which topics were created, and which were there already and left as they are."""

    created: list[str]
    existing: list[str]


def required_topics(settings: Settings) -> list[TopicSpec]:
    """The topics of these settings, inputs first. Inputs keep the cluster's own retention."""
    compacted = {"cleanup.policy": "compact"}
    alerts = compacted | {"min.compaction.lag.ms": _milliseconds(ALERT_HISTORY)}
    dead_letters = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(DEAD_LETTER_RETENTION),
        "max.message.bytes": str(DEAD_LETTER_MAX_BYTES),
    }
    configs: dict[str, dict[str, str]] = {
        **{topic: {} for topic in settings.input_topics},
        settings.metrics_topic: compacted,
        settings.alerts_topic: alerts,
        settings.dead_letters_topic: dead_letters,
        settings.changelog_topic: compacted,
    }
    return [TopicSpec(name, settings.partitions, settings.replication, config) for name, config in configs.items()]


async def create_topics(settings: Settings) -> CreateReport:
    """Creates the topics that are missing, and waits until they can be used. Can be repeated.

    Raises :class:`TopicError` where a topic exists with another number of partitions or is named for two purposes (then
    none is created) or the broker refuses one, and :class:`BrokerError` where the broker cannot be reached.
    """
    _require_distinct(settings)
    specs = required_topics(settings)
    async with connected_admin(settings) as admin:
        existing = await _counts(admin, specs)
        _require_partitions(existing, settings)
        missing = [spec for spec in specs if spec.name not in existing]
        if not missing:
            return CreateReport([], list(existing))
        created = await _create(admin, missing, settings.broker)
        await _wait_for(admin, missing, settings.broker)
        # Somebody else may have created one meanwhile, and otherwise.
        _require_partitions(await _counts(admin, specs), settings)
    return CreateReport(created, [spec.name for spec in specs if spec.name not in created])


async def check_topics(settings: Settings) -> int:
    """The number of partitions that all topics have.

    Raises :class:`TopicError` that names every missing topic, or the topics whose numbers differ, or one that is named
    for two purposes or forgets what workers need, and :class:`BrokerError` where the broker cannot be reached. Creates
    nothing.
    """
    _require_distinct(settings)
    specs = required_topics(settings)
    async with connected_admin(settings) as admin:
        counts = await _counts(admin, specs)
        require_topics([spec.name for spec in specs], counts, settings)
        if len(set(counts.values())) > 1:
            differing = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise TopicError(
                f"topics at {settings.broker} must have the same number of partitions, but {differing}; "
                "delete those that differ and create them again with `vtr topics create`"
            )
        for name in (settings.changelog_topic, settings.alerts_topic):
            await _require_kept(admin, name, settings.broker)
    return counts[specs[0].name]


def require_topics(names: Sequence[str], existing: Mapping[str, object], cluster: Cluster) -> None:
    """Raises :class:`TopicError` that names every topic of ``names`` that is not among the ``existing``."""
    missing = [name for name in names if name not in existing]
    if missing:
        verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        noun = "topic" if len(missing) == 1 else "topics"
        # To those who may not describe a topic, Kafka says nothing of it.
        hidden = "" if cluster.security_protocol == "plaintext" else ", or let this client describe and use " + them
        raise TopicError(
            f"{noun} {', '.join(missing)} at {cluster.broker} {verb} missing; create {them} with `vtr topics create`"
            f"{hidden}"
        )


def _require_distinct(settings: Settings) -> None:
    """A worker would take what it writes for something else: an output is neither an input nor another output."""
    purposes = dict.fromkeys(settings.input_topics, "an input topic")
    outputs = {
        "`metrics_topic`": settings.metrics_topic,
        "`alerts_topic`": settings.alerts_topic,
        "`dead_letters_topic`": settings.dead_letters_topic,
        "the changelog": settings.changelog_topic,
    }
    for purpose, name in outputs.items():
        if name in purposes:
            raise TopicError(f"topic {name} cannot be both {purposes[name]} and {purpose}")
        purposes[name] = purpose


async def _require_kept(admin: AIOKafkaAdminClient, name: str, broker: str) -> None:
    """Workers begin with the latest record of each key. Who compacts and deletes as well means to; a broker that does
    not say what it does is taken to keep them."""
    policy = (await topic_configs(admin, name)).get("cleanup.policy")
    if policy is not None and "compact" not in policy:
        raise TopicError(
            f"topic {name} at {broker} has the cleanup.policy {policy}, and so forgets what workers need; "
            "set it to compact"
        )


async def _counts(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, int]:
    existing = await partition_counts(admin)
    return {spec.name: existing[spec.name].total for spec in specs if spec.name in existing}


def _require_partitions(counts: Mapping[str, int], settings: Settings) -> None:
    wrong = [f"{name} has {count}" for name, count in counts.items() if count != settings.partitions]
    if wrong:
        raise TopicError(
            f"topics at {settings.broker} must have {settings.partitions} partitions, but {', '.join(wrong)}; "
            "set `partitions` to what all of them have, or delete these and create them again"
        )


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], broker: str) -> list[str]:
    response = await admin.create_topics(
        [NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=dict(spec.configs)) for spec in specs]
    )
    created = []
    for name, code, message in response.topic_errors:
        if code == 0:
            created.append(name)
        elif code != TopicAlreadyExistsError.errno:
            raise TopicError(f"the broker at {broker} refuses topic {name}: {message or for_code(code).description}")
    return created


async def _wait_for(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], broker: str) -> None:
    names = {spec.name for spec in specs}
    try:
        async with asyncio.timeout(VISIBLE_TIMEOUT):
            while names:
                existing = await partition_counts(admin)
                names -= {name for name, count in existing.items() if 0 < count.total == count.with_leader}
                if names:
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise TopicError(
            f"created at {broker}, but without leaders after {VISIBLE_TIMEOUT:g} s: {', '.join(sorted(names))}; "
            "check that all brokers are running"
        ) from None


def _milliseconds(duration: timedelta) -> str:
    return str(duration // timedelta(milliseconds=1))

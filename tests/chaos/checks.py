"""What must be true when all has been read: held against what the brokers have kept."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec.structs import replace

from stream.dead_letters import headers
from stream.engine.alerts import alert_id
from stream.events import RejectionCode
from stream.records import Alert, Metric, Scope
from tests.chaos.expected import RULES, Expected
from tests.chaos.feed import Sent
from tests.oracle import EPOCH, HOUR, hour_of, next_status
from tests.worker.deployment import Deployment

Record = "ConsumerRecord[bytes | None, bytes | None]"
Place = tuple[str, int, int]
"""Topic, partition and offset."""


class Read:
    """The input topics as the brokers have kept them, each record with what was sent."""

    def __init__(self, expected: Expected, letters: dict[Place, RejectionCode], records: int) -> None:
        self.expected = expected
        self.letters = letters
        """The places of what must be dead letters, and why."""
        self.records = records


async def read(deployment: Deployment, sent: Iterable[Sent]) -> Read:
    """Everything that went in. Asserts that it is what was sent, each record as often as it was."""
    left: dict[tuple[str, bytes | None, bytes | None], list[Sent]] = {}
    for each in sent:
        left.setdefault((each.record.topic, each.record.key, each.record.value), []).append(each)
    events, letters, count = [], {}, 0
    for topic in deployment.settings.input_topics:
        for record in await deployment.read(topic):
            known = left.get((topic, record.key, record.value))
            assert known, f"{topic}/{record.partition} has a record at {record.offset} that was not sent, or not again"
            one = known.pop()
            count += 1
            if one.event is not None:
                events.append(one.event)
            if one.code is not None:
                letters[topic, record.partition, record.offset] = one.code
    lost = sum(map(len, left.values()))
    assert lost == 0, f"the brokers took {lost} records that they do not have"
    return Read(Expected(events), letters, count)


async def metrics_are_exact(deployment: Deployment, expected: Expected) -> None:
    """Asserts that every scope's metric is the oracle's."""
    await _are_exact(await deployment.metrics(), expected)


async def _are_exact(published: dict[Scope, Metric], expected: Expected) -> None:
    now = datetime.now(UTC)
    wanted = expected.metrics(now)
    start = EPOCH + hour_of(now) * HOUR
    found = {scope: replace(metric, as_of=start, policy="") for scope, metric in published.items()}
    wrong = [scope for scope in found.keys() | wanted.keys() if found.get(scope) != wanted.get(scope)]
    assert not wrong, (
        f"{len(wrong)} of {len(wanted)} scopes are wrong, such as {wrong[0]}:\n"
        f"published {published.get(wrong[0])}\nand right is {wanted.get(wrong[0])}"
    )


async def alerts_are_whole(deployment: Deployment, expected: Expected) -> tuple[int, int]:
    """Asserts that each scope's alerts lead to the status that the oracle gives it, each from the one before.

    Each is right about its own counts, and came again, if it did, under the same id. Returns how many there are, and
    how many of them came again.
    """
    statuses = {scope: metric.status for scope, metric in expected.metrics(datetime.now(UTC)).items()}
    latest: dict[Scope, Alert] = {}
    known: dict[str, Alert] = {}
    again = 0
    for alert in await deployment.alerts():
        scope, before = alert.scope, latest.get(alert.scope)
        if alert.alert_id in known:
            first = known[alert.alert_id]
            assert (first.scope, first.status, first.previous_status) == (scope, alert.status, alert.previous_status)
            again += 1
            continue
        previous = "ok" if before is None else before.status
        assert alert.previous_status == previous != alert.status, f"{scope} was {previous}, and then came {alert}"
        last_id = "" if before is None else before.alert_id
        assert alert.alert_id == alert_id(deployment.settings.group, last_id, scope, alert.status)
        assert alert.metric.status == alert.status
        live = alert.metric.live
        assert next_status(previous, live.valid, live.counted, RULES) == alert.status
        latest[scope] = known[alert.alert_id] = alert
    said = {scope: latest[scope].status if scope in latest else "ok" for scope in statuses}
    wrong = [scope for scope, status in statuses.items() if said[scope] != status]
    assert not wrong, (
        f"{len(wrong)} scopes, such as {wrong[0]}: {said[wrong[0]]} was said, right is {statuses[wrong[0]]}"
    )
    return len(known) + again, again


async def dead_letters_are_exact(deployment: Deployment, letters: dict[Place, RejectionCode]) -> None:
    """Asserts that exactly these records are dead letters, for these reasons. One may be there twice."""
    found: dict[Place, RejectionCode] = {}
    for letter in await deployment.dead_letters():
        said = {name: value.decode() for name, value in letter.headers}
        place = (
            said[headers.SOURCE_TOPIC],
            int(said[headers.SOURCE_PARTITION]),
            int(said[headers.SOURCE_OFFSET]),
        )
        code = RejectionCode(said[headers.CODE])
        assert found.setdefault(place, code) == code
    assert found == letters

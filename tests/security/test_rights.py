"""What a user must be allowed where rules say what users may: as the README has it, and no more."""

import re
from contextlib import closing
from enum import IntEnum
from pathlib import Path

import pytest
from aiokafka.protocol.admin import CreateAclsRequest
from msgspec.structs import replace

from stream.kafka.clients import connected_admin
from stream.topics import TopicError, check_topics, create_topics
from tests.security.kafka import GUEST, SecureKafkaNode
from tests.test_readme import section
from tests.worker.conftest import settings_of
from tests.worker.deployment import Deployment
from tests.worker.expected import MEMORYLESS, metrics_are_as_computed
from tests.worker.history import simulated

pytestmark = pytest.mark.kafka_only(reason="it knows neither users nor rules")

PREFIXED, ALLOW = 4, 3


class Resource(IntEnum):
    """What rules are about, by Kafka's numbers."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """What they allow."""

    READ = 3
    WRITE = 4
    CREATE = 5


async def allow(secure: SecureKafkaNode, user: str, prefix: str, resource: Resource, *operations: Operation) -> None:
    """Let a user do that with what has names that begin like that, and nobody else but who may do all."""
    async with connected_admin(secure.login) as admin:
        for operation in operations:
            request = CreateAclsRequest(resource, prefix, PREFIXED, f"User:{user}", "*", operation, ALLOW)
            ((code, message),) = (await admin._send_request(request)).creation_responses
            assert code == 0, message


async def test_a_deployment_works_with_the_rights_that_the_readme_names(
    secure: SecureKafkaNode, prefix: str, tmp_path: Path
) -> None:
    (line,) = re.findall(
        r"^- Where access is by rules.*?(?=^$|^- )", section("Run it on your own Kafka"), re.MULTILINE | re.DOTALL
    )
    words = " ".join(line.split())
    assert "`Read` and `Write` on the topics of the deployment" in words
    assert "`Read` on its group" in words
    assert "`Create` on the topics" in words
    settings = replace(
        settings_of(replace(secure.login, sasl_username=GUEST), prefix, tmp_path), session_timeout=6.0, **MEMORYLESS
    )

    for resource in Resource:
        await allow(secure, "somebody", prefix, resource, Operation.READ)
    await create_topics(replace(settings, sasl_username=secure.login.sasl_username, group=f"{prefix}other"))
    with pytest.raises(TopicError, match=r"are missing; create them with .*, or let this client describe and use them"):
        await check_topics(settings)

    await allow(secure, GUEST, prefix, Resource.TOPIC, Operation.READ, Operation.WRITE, Operation.CREATE)
    await allow(secure, GUEST, prefix, Resource.GROUP, Operation.READ)
    assert (await create_topics(settings)).created == [settings.changelog_topic]
    with closing(Deployment(settings, tmp_path / "worker")) as deployment:
        history = simulated(settings, 300, sellers=4)
        await deployment.send(history)
        worker = deployment.start()
        await deployment.eventually(deployment.all_committed)
        await deployment.eventually(metrics_are_as_computed, deployment, history)
        worker.stop()

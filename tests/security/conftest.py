"""A broker that wants TLS and logins, and deployments on it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.settings import Settings
from tests.security.certificates import Certificates
from tests.security.kafka import SecureKafkaNode
from tests.worker.conftest import deploy, settings_of

__all__ = ["deploy"]


@pytest.fixture(scope="session")
def certificates() -> Iterator[Certificates]:
    """Files that live as long as the tests."""
    with tempfile.TemporaryDirectory(prefix="vtr-test-certificates-") as folder:
        yield Certificates(Path(folder))


@pytest.fixture(scope="session")
def secure(certificates: Certificates) -> Iterator[SecureKafkaNode]:
    """The broker. Tests that ask for it are to be marked ``kafka_only``."""
    with (
        tempfile.TemporaryDirectory(prefix="vtr-test-broker-") as folder,
        SecureKafkaNode(Path(folder), certificates) as node,
    ):
        yield node


@pytest.fixture
def settings(secure: SecureKafkaNode, prefix: str, tmp_path: Path) -> Settings:
    """Settings of a deployment that logs in over TLS."""
    return settings_of(secure.login, prefix, tmp_path)

"""A simulated history, replayed once."""

import pytest

from stream.replay import Replay, replay
from tests.plot.history import SETTINGS, simulated, written


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("plotted") / "history.ndjson", simulated())


@pytest.fixture(scope="session")
def whole(file: str) -> Replay:
    return replay([file], SETTINGS)

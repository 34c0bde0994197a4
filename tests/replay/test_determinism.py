"""The same events give the same bytes: in any order, in however many files of whatever form, however sorted."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stream.events import Event, decode
from stream.replay import formats, replay
from stream.replay.runs import version_of
from stream.settings import Settings
from tests.replay.histories import history, said, write

SETTINGS = Settings(min_counted=5)

CHUNK_BYTES = 20_000
"""Some dozens of lines, so that there are many runs."""


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return history(2500)


@pytest.fixture(scope="module")
def expected(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    result = replay([write(tmp_path_factory.mktemp("whole"), "all.ndjson", lines)], SETTINGS, hash_state=True)
    assert len(result.alerts) > 50
    assert result.summary.accepted == len(lines)
    return said(result)


@pytest.mark.parametrize(
    ("names", "memory", "processes"),
    [
        (["a.ndjson", "b.ndjson", "c.ndjson"], None, 1),
        (["a.ndjson"], 1, 1),
        (["a.ndjson.gz", "b.ndjson.zst"], 200_000, 2),
        (["a.csv"], None, 1),
        (["a.parquet"], 1, 1),
        (["a.csv", "b.parquet", "c.csv.gz", "d.jsonl", "deep/er/e.csv.zst"], 500_000, 2),
    ],
)
def test_the_same_events_give_the_same_bytes(
    lines: list[bytes],
    expected: tuple[object, ...],
    names: list[str],
    memory: int | None,
    processes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formats, "_CHUNK_BYTES", CHUNK_BYTES)
    shuffled = Random(len(names)).sample(lines, len(lines))  # noqa: S311 - an order that is always the same
    for number, name in enumerate(names):
        write(tmp_path, name, shuffled[number :: len(names)])
    assert said(replay([str(tmp_path)], SETTINGS, memory=memory, processes=processes, hash_state=True)) == expected


def test_a_version_that_is_there_twice_is_the_same_one_in_every_order(lines: list[bytes], tmp_path: Path) -> None:
    """Which one holds does not hang on the order of files, and so the order of a replay need not tell them apart."""
    events: dict[tuple[object, ...], list[bytes]] = {}
    for line in lines:
        event = decode(line)
        assert isinstance(event, Event)
        events.setdefault((type(event), *version_of(event)), []).append(line)
    twins = [found for found in events.values() if len(set(found)) > 1]
    assert len(twins) > 50
    lesser = write(tmp_path, "lesser.ndjson", [min(found) for found in twins])
    greater = write(tmp_path, "greater.ndjson", [max(found) for found in twins])
    rest = write(tmp_path, "rest.ndjson", [found[0] for found in events.values() if len(set(found)) == 1])
    assert said(replay([lesser, greater, rest], SETTINGS, hash_state=True)) == said(
        replay([rest, greater, lesser], SETTINGS, hash_state=True)
    )
    assert said(replay([lesser, rest], SETTINGS)) != said(replay([greater, rest], SETTINGS))


@hypothesis_settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_any_cut_of_a_few_events(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    few = data.draw(st.permutations(history(30, days=60, sellers=2)))
    folder = tmp_path_factory.mktemp("cut")
    whole = said(replay([write(folder, "whole.ndjson", few)], SETTINGS, hash_state=True))
    cut = data.draw(st.integers(0, len(few)))
    forms = st.sampled_from([".ndjson", ".csv", ".parquet", ".csv.gz", ".ndjson.zst"])
    halves = [
        write(folder, f"half{number}{data.draw(forms)}", half) for number, half in enumerate((few[:cut], few[cut:]))
    ]
    memory = data.draw(st.sampled_from([1, 10_000, None]))
    assert said(replay(halves, SETTINGS, memory=memory, hash_state=True)) == whole

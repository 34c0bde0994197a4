"""Of any history, what shipments have another verdict add up to what the metrics differ by."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.what_if import Variant, what_if
from tests.explain.test_agreement import STRICT, long_histories
from tests.test_engine_properties import DAY, HOUR, Line, all_decoded, ends, examples, lines
from tests.what_if.sums import growth, moves


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Reading the rules takes longer than an example."""
    with patch.object(RulesPolicy, "of", side_effect=cache(RulesPolicy.of)):
        yield


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("rules") / "strict.toml"
    file.write_text(STRICT)
    return str(file)


def agree(history: Sequence[Line], strict: str, as_of: datetime) -> None:
    """Asserts it from strict rules to others."""
    variants = [Variant.parse(text) for text in ("policy=", "policy= grace_hours=1", "valid_when=scan")]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "history.ndjson"
        file.write_bytes(b"".join(line + b"\n" for line in history))
        result, (ours, *theirs) = what_if([str(file)], Settings(policy_file=strict), variants, as_of=as_of)
    for comparison, replayed in zip(result.variants, theirs, strict=True):
        assert moves(comparison) == growth(ours.metrics, replayed.metrics)
        for each in comparison.verdicts:
            event(f"{each.baseline.reason} to {each.variant.reason}")


@given(st.data())
@examples(15)
def test_crowded_histories(strict: str, data: st.DataObject) -> None:
    end = data.draw(ends())
    history = data.draw(lines(end, 24, 10, most=30))
    agree(history, strict, data.draw(st.sampled_from([end, end - DAY, end + 3 * DAY])))


@given(long_histories(), st.integers(0, 48) | st.integers(0, 90 * 24))
@examples(8)
def test_long_histories(strict: str, history: list[Line], hours: int) -> None:
    agree(history, strict, max(one.event_time for one in all_decoded(history)) + hours * HOUR)

"""Very many sellers, and one that is as large as all of them."""

from stream.records import Scope
from tests.sellers.crowd import GIANT, expected, measure


def test_the_metrics_are_right_and_memory_is_bounded() -> None:
    crowd = measure(1_000)
    assert crowd.wrong == []
    # Two shipments for each three scopes, with their rows, and the latest of them unpacked.
    assert crowd.bytes_per_scope < 4_000
    assert crowd.bytes_afterwards < crowd.bytes_at_end / 5, "nothing of whom was forgotten is kept"


def test_what_is_expected() -> None:
    assert expected(Scope("seller-14", "DE"), 100) == (0, 1, 0, 0)
    assert expected(Scope("seller-15"), 100) == (1, 0, 0, 0)
    assert expected(Scope(GIANT), 15) == (12, 3, 0, 0)

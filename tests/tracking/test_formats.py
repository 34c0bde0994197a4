"""Every example in every carrier's file: the valid numbers pass, the invalid ones do not."""

from collections.abc import Iterator

import pytest

from stream.tracking.carrier_files import CarrierFile, FormatTable, read_carrier_files
from stream.tracking.carriers import CARRIERS_FOLDER, Carrier, Format, known_carriers
from stream.tracking.numbers import compact, number_problem

FILES = read_carrier_files(CARRIERS_FOLDER)


def carrier(key: str) -> Carrier:
    return known_carriers().carriers[key]


def tables() -> Iterator[tuple[str, FormatTable, Format]]:
    for key, file in FILES.items():
        for table, loaded in zip(file.formats, carrier(key).formats, strict=False):
            yield key, table, loaded


VALID = [pytest.param(key, it, number, id=number) for key, t, it in tables() for number in t.valid]
INVALID = [pytest.param(key, it, number, id=number) for key, t, it in tables() for number in t.invalid]


@pytest.mark.parametrize(("key", "loaded", "number"), VALID)
def test_a_valid_example_fits_its_format_and_passes(key: str, loaded: Format, number: str) -> None:
    assert loaded.pattern.fullmatch(compact(number))
    assert loaded.check is None or loaded.check.passes(compact(number))
    assert number_problem(number, carrier(key), "") is None


@pytest.mark.parametrize(("key", "loaded", "number"), INVALID)
def test_an_invalid_example_does_not_fit_its_format(key: str, loaded: Format, number: str) -> None:
    fits = loaded.pattern.fullmatch(compact(number)) is not None
    assert not fits or (loaded.check is not None and not loaded.check.passes(compact(number)))
    if loaded.settled and (fits or FILES[key].complete):
        assert number_problem(number, carrier(key), "") is not None


@pytest.mark.parametrize("key", FILES)
def test_every_format_has_sources_and_an_example(key: str) -> None:
    file: CarrierFile = FILES[key]
    assert file.sources
    assert [table.name for table in file.formats if not table.sources or not table.valid] == []

"""Every example in every carrier's file: the valid numbers pass, the invalid ones do not."""

from collections.abc import Iterator

import pytest

from stream.tracking.carrier_files import CarrierFile, FormatTable, read_carrier_files
from stream.tracking.carriers import CARRIERS_FOLDER, Carrier, Format, known_carriers
from stream.tracking.numbers import compact, number_problem

FILES = read_carrier_files(CARRIERS_FOLDER)


def carrier(key: str) -> Carrier:
    return known_carriers().carriers[key]


def has_form(number: str, form: Format) -> bool:
    return form.pattern.fullmatch(compact(number)) is not None


def has_check_digit(number: str, form: Format) -> bool:
    return form.check is None or form.check.expected(compact(number)) == form.check.found(compact(number))


def tables() -> Iterator[tuple[str, FormatTable, Format]]:
    for key, file in FILES.items():
        for table, loaded in zip(file.formats, carrier(key).formats, strict=False):
            yield key, table, loaded


VALID = [pytest.param(key, it, number, id=number) for key, t, it in tables() for number in t.valid]
INVALID = [pytest.param(key, it, number, id=number) for key, t, it in tables() for number in t.invalid]


@pytest.mark.parametrize(("key", "loaded", "number"), VALID)
def test_a_valid_example_fits_its_format_and_passes(key: str, loaded: Format, number: str) -> None:
    assert has_form(number, loaded)
    assert has_check_digit(number, loaded)
    assert number_problem(number, carrier(key), "") is None


@pytest.mark.parametrize(("key", "loaded", "number"), INVALID)
def test_an_invalid_example_does_not_fit_its_format(key: str, loaded: Format, number: str) -> None:
    assert not has_form(number, loaded) or not has_check_digit(number, loaded)
    if loaded.settled and (has_form(number, loaded) or FILES[key].complete):
        assert number_problem(number, carrier(key), "") is not None


@pytest.mark.parametrize("key", FILES)
def test_every_format_has_sources_and_an_example(key: str) -> None:
    file: CarrierFile = FILES[key]
    assert file.sources
    assert [table.name for table in file.formats if not table.sources or (table.settled and not table.valid)] == []

"""Every example in every carrier's file: the valid numbers pass, the invalid ones do not."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.tracking.carrier_files import CarrierFile, FormatTable, read_carrier_files
from stream.tracking.carriers import CARRIERS_FOLDER, Carrier, Check, Format, known_carriers
from stream.tracking.numbers import LONGEST, compact, number_problem

FILES = read_carrier_files(CARRIERS_FOLDER)
CAPITALS_AND_DIGITS = st.characters(codec="ascii", categories=["Lu", "Nd"])


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


def wrong_digits(number: str, check: Check) -> Iterator[str]:
    """The number with one digit changed in every way, among those that the check digit protects, and it."""
    places = range(len(number))
    for place in {*places[check.protected], places[check.place]}:
        if number[place].isdigit():
            yield from (
                number[:place] + other + number[place + 1 :] for other in "0123456789" if other != number[place]
            )


@pytest.mark.parametrize("key", FILES)
def test_a_wrong_digit_is_found_nine_times_in_ten(key: str) -> None:
    wrong = [
        changed
        for k, table, form in tables()
        if k == key and form.check is not None and form.settled
        for number in table.valid
        for changed in wrong_digits(compact(number), form.check)
    ]
    found = sum(1 for number in wrong if number_problem(number, carrier(key), "") == "malformed_number")
    assert found >= 0.9 * len(wrong)


@given(st.data())
def test_check_digits_are_computed_for_all_that_has_the_form(data: st.DataObject) -> None:
    key, _, form = data.draw(st.sampled_from(list(tables())))
    number = data.draw(st.from_regex(form.pattern, fullmatch=True, alphabet=CAPITALS_AND_DIGITS))
    assert len(number) <= LONGEST
    if form.check is not None:
        right = form.check.expected(number)
        assert len(right) == len(form.check.found(number)) == 1
        place = range(len(number))[form.check.place]
        mended = number[:place] + right + number[place + 1 :]
        if form.pattern.fullmatch(mended):
            assert form.check.expected(mended) == right
            assert number_problem(mended, carrier(key), "") != "malformed_number"

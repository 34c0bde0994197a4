"""Damaged files: rows are rejected or the file is, in one line; nothing else happens."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from stream.events import Rejection, decode, encode
from stream.imports import Assumptions, ImportFailedError, import_files
from tests.imports.files import SAMPLE_FILES, SAMPLES, SELLER, Imports, api, api_order, package, shipped
from tests.test_engine_properties import examples

JUNK = [
    b"",
    b"\t",
    b"\n",
    b"\r",
    b"-",
    b'"',
    b"\xff",
    b"\xe4",
    b"null",
    b"{}",
    b"[]",
    b"1e400",
    b"9" * 40,
    b"2026-11-03",
]
JUNK += [b"9999-12-31", b"0001-01-01T00:00:00+14:00", b"NULL", b"Cancelled", b"Amazon", b"Amazon.de"]


@given(data=st.data())
@examples(40)
def test_damage_is_named(data: st.DataObject) -> None:
    name, _, at = data.draw(st.sampled_from(SAMPLE_FILES)).partition("@")
    damaged = bytearray((SAMPLES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(damaged)))
        damaged[start : start + data.draw(st.integers(0, 12))] = data.draw(st.sampled_from(JUNK))
    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(damaged)
        others = [str(SAMPLES / each) for each in SAMPLE_FILES if not each.startswith(name)]
        try:
            done = import_files([f"{file}@{at}" if at else str(file), *others], SELLER, Assumptions())
        except ImportFailedError as error:
            problem = str(error)
            done = None
    if done is None:
        assert str(file) in problem
        assert "\n" not in problem
        return
    assert not any(isinstance(decode(encode(each)), Rejection) for each in done.events)
    assert all(reject.reason and reject.place.line > 0 for reject in done.rejects)


def test_half_a_character_does_no_more_than_be_one(imports: Imports) -> None:
    """As where something cuts texts off at a number of UTF-16 units."""
    parcel = package()
    parcel["carrier"] = "DHL \ud83d"
    done = imports(api(api_order(parcel), api_order(package(), orderId="028-1234567-765432\ud83d")))
    assert [event.carrier for event in shipped(done)] == ["DHL ?"]
    (reject,) = done.rejects
    assert "028-1234567-765432?" in reject.reason
    assert reject.row.encode()

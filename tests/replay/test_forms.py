"""Files of every form: which are read, that a row is judged as its JSON is, and what becomes of a bad one."""

import gzip
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
import zstandard
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyarrow import parquet

from stream.events import Event, Money, OrderShipped, TrackingUploaded, decode
from stream.replay import Form, SourceError
from stream.replay.csv_rows import LONGEST_ROW
from stream.replay.file_events import read_file
from stream.replay.files import HistoryFile, find_files
from stream.replay.rejects import RejectedLine
from tests.command import vtr
from tests.replay.histories import COLUMNS, flat, to_csv, write

LATEST = datetime(2100, 1, 1, tzinfo=UTC)

SHIPPED = (
    b'{"type":"order-shipped","event_id":"e1","event_time":"2026-09-01T00:00:00Z","seller_id":"A","order_id":"o1",'
    b'"marketplace":"DE","shipped_at":"2026-09-01T00:00:00Z","order_value":{"amount":"24.90","currency":"EUR"}}'
)
TRACKED = (
    b'{"type":"tracking-uploaded","event_id":"e2","event_time":"2026-09-01T01:00:00Z","seller_id":"A",'
    b'"order_id":"o1","carrier":"DHL","tracking_number":"00340434161094042557"}'
)
HEADER = "type,event_id,event_time,seller_id,order_id,marketplace,shipped_at,carrier,tracking_number\n"
ROW = "order-shipped,e1,2026-09-01T00:00:00Z,A,o1,DE,2026-09-01T00:00:00Z,,\n"


def read(path: str | HistoryFile) -> tuple[list[Event], list[RejectedLine]]:
    rejected: list[RejectedLine] = []
    (file,) = find_files([path]).files
    events = [event for some in read_file(file, LATEST, rejected) for event in some]
    return events, rejected


def read_csv(folder: Path, text: str | bytes) -> tuple[list[Event], list[tuple[int, str, bytes]]]:
    """The events, and line, message and text of what is none."""
    file = folder / "history.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    events, rejected = read(str(file))
    return events, [(line.line, line.rejection.message, line.raw) for line in rejected]


def write_table(folder: Path, **columns: Sequence[object]) -> str:
    file = folder / "history.parquet"
    parquet.write_table(pyarrow.table(dict(columns)), file)
    return str(file)


def columns_of(*lines: bytes) -> dict[str, list[object]]:
    rows = [flat(line) for line in lines]
    return {name: [row[name] for row in rows] for name in COLUMNS}


# --- Which files -----------------------------------------------------------------------------------------------------


def test_a_folder_is_all_that_is_below_it_in_order_but_for_what_is_no_history(tmp_path: Path) -> None:
    for name in ("b/2.ndjson.gz", "b/10.CSV", "a.parquet", "b/notes.txt", "c.tsv.zst", ".hidden", "z.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_files([str(tmp_path)])
    named = {str(Path(file.path).relative_to(tmp_path)): file.form for file in found.files}
    assert named == {
        "a.parquet": Form.PARQUET,
        "b/10.CSV": Form.CSV,
        "b/2.ndjson.gz": Form.NDJSON,
        "c.tsv.zst": Form.CSV,
        "z.jsonl": Form.NDJSON,
    }
    assert {str(Path(path).relative_to(tmp_path)) for path in found.left_out} == {"b/notes.txt", ".hidden"}
    assert find_files([str(tmp_path)]) == found


def test_folders_that_are_linked_to_are_read_once(tmp_path: Path) -> None:
    """And a link that leads back up ends nowhere."""
    folder, other = tmp_path / "history", tmp_path / "archive"
    for each in (folder, other):
        each.mkdir()
        (each / "a.ndjson").write_bytes(SHIPPED)
    (folder / "2025").symlink_to(other)
    (folder / "again").symlink_to(other)
    (other / "back").symlink_to(folder)
    files, left_out = find_files([str(folder)])
    assert [path for path, _ in files] == [str(folder / "a.ndjson"), str(folder / "2025" / "a.ndjson")]
    assert left_out == []


def test_a_folder_without_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"no history in {tmp_path}"):
        find_files([str(tmp_path)])


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ndjson", [SHIPPED])
    assert find_files([file, str(tmp_path), file]).files == [HistoryFile(file, Form.NDJSON)]


@pytest.mark.parametrize(("content", "form"), [(SHIPPED, None), (to_csv([SHIPPED]), None), (to_csv([SHIPPED]), "csv")])
def test_a_name_that_does_not_tell_is_helped_by_the_first_line(
    tmp_path: Path, content: bytes, form: str | None
) -> None:
    (tmp_path / "export.2026").write_bytes(b"\xef\xbb\xbf" + content)
    ((path, its_form),) = find_files([str(tmp_path / "export.2026")], None if form is None else Form(form)).files
    assert its_form == form
    assert read(HistoryFile(path, its_form)) == ([decode(SHIPPED)], [])


@pytest.mark.parametrize("content", [SHIPPED, to_csv([SHIPPED])])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_standard_input_is_of_any_line_form_and_packed_or_not(
    content: bytes, pack: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(pack(content)))))
    assert read("-") == ([decode(SHIPPED)], [])
    (tmp_path / "export").write_bytes(pack(content))
    assert read(str(tmp_path / "export")) == ([decode(SHIPPED)], [])


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a"])
@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("content", [SHIPPED, to_csv([SHIPPED])])
def test_what_is_no_utf_8_is_named(content: bytes, order: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(f"\ufeff{content.decode()}\r\n".encode(order))
    done = vtr("replay", str(tmp_path / name), "--processes", "2")
    said = f"vtr: cannot read {tmp_path / name}: it is UTF-16; save it as UTF-8\n"
    assert (done.returncode, done.stderr.decode()) == (1, said)


@pytest.mark.parametrize("content", [b"[" + SHIPPED + b"]", b" [\n" + SHIPPED + b"\n]\n"])
def test_an_array_of_json_is_no_history(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_bytes(content)
    with pytest.raises(SourceError, match=r"history.json: it is a JSON array; one event per line is read"):
        read(str(tmp_path / "history.json"))


# --- CSV -------------------------------------------------------------------------------------------------------------

_CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@hypothesis_settings(deadline=None, max_examples=60)
@given(cells=st.dictionaries(st.sampled_from(COLUMNS), _CELLS), kind=st.sampled_from([SHIPPED, TRACKED]))
def test_a_row_is_judged_as_its_json_is(
    cells: dict[str, str], kind: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    event: dict[str, object] = dict(json.loads(kind))
    value: dict[str, object] = dict(event.pop("order_value", {}))  # type: ignore[call-overload]
    for name, cell in cells.items():
        target, key = (value, name.removeprefix("order_value.")) if "." in name else (event, name)
        target[key] = cell
    emptied = {name for name, cell in cells.items() if not cell}
    if cells.get("type", event["type"]) == "tracking-uploaded":
        emptied.discard("tracking_number")
    for name in emptied:
        event.pop(name, None)
        value.pop(name.removeprefix("order_value."), None)
    event = {name: event[name] for name in COLUMNS if name in event}  # of two faults, the first one is told
    line = json.dumps(event | ({"order_value": value} if value else {})).encode()
    events, rejected = read_csv(tmp_path_factory.mktemp("csv"), to_csv([line]))
    judged = decode(line)
    if isinstance(judged, Event):
        assert (events, rejected) == ([judged], [])
    else:
        assert (events, [message for _, message, _ in rejected]) == ([], [judged.message])


def test_an_empty_cell_is_no_field_but_takes_a_number_back(tmp_path: Path) -> None:
    (shipped,), _ = read_csv(tmp_path, HEADER + ROW)
    assert isinstance(shipped, OrderShipped)
    assert shipped.carrier is None
    (tracked,), _ = read_csv(tmp_path, HEADER + "tracking-uploaded,e2,2026-09-01T00:00:00Z,A,o1,,,DHL,\n")
    assert isinstance(tracked, TrackingUploaded)
    assert tracked.tracking_number is None
    without = HEADER.replace(",tracking_number", "")
    events, rejected = read_csv(tmp_path, without + "tracking-uploaded,e2,2026-09-01T00:00:00Z,A,o1,,,DHL\n")
    assert (events, [message for _, message, _ in rejected]) == (
        [],
        ["Object missing required field `tracking_number`"],
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("joint", [".", "_"])
def test_headers_as_people_write_them(tmp_path: Path, delimiter: str, joint: str) -> None:
    text = (
        to_csv([SHIPPED], delimiter).decode().replace("order_value.", f"Order_Value{joint}").replace("type", " Type", 1)
    )
    events, rejected = read_csv(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert (events, rejected) == ([decode(SHIPPED)], [])


def test_bad_rows_are_told_with_their_lines_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = [ROW.replace("e1", f"e{number}") for number in range(9)]
    text = (
        (
            HEADER
            + good[0]
            + "\n"  # blank
            + ROW.replace(",DE,", ',"D\nE",')  # of two lines
            + "order-shipped,short\n"
            + good[1]
            + ROW.replace("A,", '"A,')  # a quotation mark that the next one closes
            + good[2]
            + '"'
            + good[3]
            + good[4].replace("\n", "\r\n")
            + good[5].replace("DE", '"D"E')
            + good[6].rstrip()
        ).encode()
        + b"\n"
        + good[7].replace("o1", "\udcff").encode(errors="surrogateescape")
    )
    events, rejected = read_csv(tmp_path, text)
    assert [event.event_id for event in events] == ["e0", "e1", "e1", "e2", "e4", "e6"]
    assert [(line, raw) for line, _, raw in rejected] == [
        (6, b"order-shipped,short\n"),
        (8, ROW.replace("A,", '"A,').encode()),
        (10, b'"' + good[3].encode()),
        (12, good[5].replace("DE", '"D"E').encode()),
        (14, good[7].replace("o1", "\udcff").encode(errors="surrogateescape")),
    ]
    assert "2 cells" in rejected[0][1]
    assert "quotation mark" in rejected[1][1]
    assert "utf-8" in rejected[-1][1]


def test_a_quotation_mark_that_nobody_closes_costs_one_row_of_many(tmp_path: Path) -> None:
    many = LONGEST_ROW // len(ROW) * 3
    events, rejected = read_csv(tmp_path, HEADER + '"' + ROW + ROW * many)
    assert len(events) == many
    assert [(line, raw) for line, _, raw in rejected] == [(2, b'"' + ROW.encode())]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROW, "first line does not name the columns type, event_id, event_time, seller_id"),
        (HEADER.replace("event_id,", ""), "first line does not name"),
        (HEADER.replace("\n", "\r"), "first line does not name"),
        (HEADER.replace("carrier", "order_id"), "more than one column is the event's `order_id`"),
    ],
)
def test_a_header_that_cannot_be_one_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_csv(tmp_path, text + ROW)


def test_an_empty_csv_file_has_no_events(tmp_path: Path) -> None:
    assert read_csv(tmp_path, "") == ([], [])
    assert read_csv(tmp_path, HEADER) == ([], [])


# --- Parquet ---------------------------------------------------------------------------------------------------------


def test_columns_are_of_the_types_that_people_give_them(tmp_path: Path) -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    plain = columns_of(SHIPPED)
    typed = plain | {
        "event_time": pyarrow.array([at], pyarrow.timestamp("ns", "Europe/Berlin")),
        "shipped_at": pyarrow.array([at], pyarrow.timestamp("ms", "UTC")),
        "marketplace": pyarrow.array(["DE"]).dictionary_encode(),
        "seller_id": pyarrow.array([b"A"]),
        "order_value.amount": pyarrow.array([Decimal("24.90")]),
        "weight": [1.5],
    }
    assert read(write_table(tmp_path, **typed)) == ([decode(SHIPPED)], [])
    for column in ("order_value.amount", "order_value.currency"):
        del typed[column]
    assert read(write_table(tmp_path, **typed, order_value=[{"amount": "24.90", "currency": "EUR"}])) == (
        [decode(SHIPPED)],
        [],
    )
    typed["order_value_amount"], typed["order_value_currency"] = [24.9], ["EUR"]
    ((event,), _) = read(write_table(tmp_path, **typed))
    assert isinstance(event, OrderShipped)
    assert event.order_value == Money(Decimal("24.9"), "EUR")


@pytest.mark.parametrize("nanoseconds", [0, 1, 499, 500, 123_456_789, 999_999_499, 999_999_500, 999_999_999])
def test_nanoseconds_become_what_they_become_in_json(tmp_path: Path, nanoseconds: int) -> None:
    day = datetime(2026, 9, 1, 23, 59, 59, tzinfo=UTC)
    columns = columns_of(SHIPPED)
    written = json.loads(SHIPPED)
    for name in ("event_time", "promised_delivery_by"):
        numbers = pyarrow.array([int(day.timestamp()) * 10**9 + nanoseconds])
        columns[name] = numbers.cast(pyarrow.timestamp("ns", "UTC"))
        written[name] = f"2026-09-01T23:59:59.{nanoseconds:09}Z"
    assert read(write_table(tmp_path, **columns)) == ([decode(json.dumps(written).encode())], [])


def test_a_bad_row_is_told_with_its_number_and_as_json(tmp_path: Path) -> None:
    columns = columns_of(SHIPPED, TRACKED, SHIPPED)
    microseconds = [1_788_220_800_000_000, 1_788_220_800_000_000, 1 << 60]
    columns["event_time"] = list(pyarrow.array(microseconds).cast(pyarrow.timestamp("us", "UTC")))
    columns["tracking_number"] = [None, None, None]
    events, rejected = read(write_table(tmp_path, **columns))
    assert len(events) == 2
    assert isinstance(events[1], TrackingUploaded)
    assert events[1].tracking_number is None
    ((_, number, rejection, raw),) = rejected
    assert number == 3
    assert json.loads(raw)["event_time"] == f"{1 << 60}000 ns since 1970"  # which Python has no time for
    assert decode(raw) == rejection


def test_times_without_a_zone_are_judged_as_such(tmp_path: Path) -> None:
    columns = columns_of(SHIPPED) | {"event_time": [datetime(2026, 9, 1)]}  # noqa: DTZ001 - that is the point
    _, rejected = read(write_table(tmp_path, **columns))
    assert [line.rejection.message for line in rejected] == [
        "Expected `datetime` with a timezone component - at `$.event_time`"
    ]


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(SourceError, match=f"cannot read {tmp_path / 'a.parquet'}: .*magic bytes"):
        read(str(tmp_path / "a.parquet"))
    with pytest.raises(SourceError, match="there is no column type"):
        read(write_table(tmp_path, event_id=["e"]))
    with pytest.raises(SourceError, match="standard input"):
        read(HistoryFile("-", Form.PARQUET))


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_table(tmp_path, **columns_of(SHIPPED))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = vtr("replay", file, "--processes", "1")
    assert done.returncode == 1
    assert done.stderr.decode() == f"vtr: cannot read {file}: Parquet needs pyarrow: pip install pyarrow\n"


# --- Rejects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_rejects_are_unchanged_and_in_the_order_of_files_and_lines(tmp_path: Path, processes: int) -> None:
    late = (datetime.now(UTC) + timedelta(hours=2)).isoformat().encode()
    future = SHIPPED.replace(b"2026-09-01T00:00:00Z", late)
    bad = [b"{", b'{"seller_id":"B"}', b"\xff", future, b'{"seller_id":"A"}']
    first = write(tmp_path, "b.ndjson", [bad[0], SHIPPED, b"", bad[1], bad[2]])
    second = write(tmp_path, "a.ndjson", [TRACKED, bad[3], bad[4]])
    out = tmp_path / "rejects"
    done = vtr("replay", first, second, "--rejects", str(out), "--processes", str(processes))
    assert done.returncode == 0, done.stderr
    rejects = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [(each["file"], each["line"], each["code"]) for each in rejects] == [
        (first, 1, "malformed_json"),
        (first, 4, "missing_field"),
        (first, 5, "malformed_json"),
        (second, 2, "future_event"),
        (second, 3, "missing_field"),
    ]
    assert [each.get("raw") for each in rejects] == [None if b"\xff" in line else line.decode() for line in bad]
    assert rejects[2]["raw_base64"] == "/w=="
    assert all(each["message"] for each in rejects)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", "b.ndjson", "rejects"]


def test_what_was_left_out_of_a_folder_is_said(tmp_path: Path) -> None:
    write(tmp_path, "a.ndjson", [SHIPPED])
    (tmp_path / "README").touch()
    done = vtr("replay", str(tmp_path))
    assert done.returncode == 0
    assert done.stderr.decode() == f"left out  {tmp_path / 'README'}: by its name it is no history\n"


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.binary()])
def test_a_cell_of_parquet_that_is_no_utf_8_costs_its_row_only(tmp_path: Path, kind: pyarrow.DataType) -> None:
    columns = {name: [value] * 3 for name, value in flat(SHIPPED).items() if value is not None}
    carriers = pyarrow.array([b"DHL", b"D\xff", b"Evri"], pyarrow.binary())
    carriers = pyarrow.Array.from_buffers(kind, 3, carriers.buffers())
    events, rejected = read(write_table(tmp_path, **columns, carrier=carriers))
    assert [event.carrier for event in events] == ["DHL", "Evri"]
    (line,) = rejected
    assert (line.line, line.rejection.code) == (2, "malformed_json")
    assert b'"D\xff"' in line.raw


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_packed_file_that_was_cut_off_or_damaged_is_not_taken_for_a_whole_one(tmp_path: Path, form: str) -> None:
    lines = [SHIPPED.replace(b"e1", b"%d" % number) for number in range(3000)]
    path = Path(write(tmp_path, f"history.ndjson.{form}", lines))
    whole = path.read_bytes()
    events, _ = read(str(path))
    assert len(events) == len(lines)
    path.write_bytes(whole + whole)
    assert len(read(str(path))[0]) == 2 * len(lines)
    for size in (1, len(whole) // 2, len(whole) - 1, len(whole) + 20):
        path.write_bytes((whole + whole)[:size])
        with pytest.raises(SourceError, match=r"cannot .*history\.ndjson"):
            read(str(path))
    for place in range(20, len(whole), len(whole) // 20):
        path.write_bytes(whole[:place] + bytes(byte ^ 255 for byte in whole[place : place + 9]) + whole[place + 9 :])
        try:
            read(str(path))  # a frame without a checksum may come to something else
        except SourceError as error:
            assert "history.ndjson" in str(error)  # noqa: PT017 - where there is one


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_file_may_have_a_name_that_is_no_utf_8(tmp_path: Path, processes: str) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    for name in (b"a\xfc.ndjson", b"b.ndjson"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(SHIPPED + b"\n{")
    rejects = tmp_path / "rejects.ndjson"
    more = ("--processes", processes, "--checkpoint", str(tmp_path / "unfinished"), "--rejects", str(rejects))
    done = vtr("replay", str(folder), *more)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["file"] for line in rejects.read_bytes().splitlines()] == [
        f"{folder}/a\\xfc.ndjson",
        f"{folder}/b.ndjson",
    ]

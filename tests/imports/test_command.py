"""``vtr import``, as a shell sees it."""

import json
import os
import sys
from pathlib import Path

import pytest

from stream.imports import load_fields
from tests.command import vtr
from tests.imports.files import SAMPLE_FILES, SAMPLES, SELLER

FILES = [str(SAMPLES / file) for file in SAMPLE_FILES]


def test_into_a_replay() -> None:
    imported = vtr("import", *FILES, "--seller", SELLER)
    assert imported.returncode == 0
    replayed = vtr("replay", "-", "--as-of", "2026-10-26T00:00:00Z", "--metrics", "-", stdin=imported.stdout)
    assert replayed.returncode == 0
    metrics = [json.loads(line) for line in replayed.stdout.splitlines()]
    (of_germany,) = [each for each in metrics if each["marketplace"] == "DE" and each["category"] is None]
    official = of_germany["official"]
    assert (official["valid"], official["defects"], official["exempt"]) == (4, 1, 2)


def test_files_and_what_is_said_of_them(tmp_path: Path) -> None:
    out, rejects = tmp_path / "history.ndjson", tmp_path / "rejects.ndjson"
    done = vtr("import", *FILES, "--seller", SELLER, "--out", str(out), "--rejects", str(rejects))
    assert (done.returncode, done.stdout) == (0, b"")
    assert out.read_bytes() == vtr("import", *FILES, "--seller", SELLER).stdout
    said = done.stderr.decode().replace(f"{SAMPLES}/", "").splitlines()
    assert "all-orders.txt: all orders, windows-1252, 14 rows" in said
    assert "orders-2026-10-12.json: Orders API, utf-8, 3 orders" in said
    assert (
        "rejected  feed-2026-10-06.txt:11, ship-date: `2026-10-32` is not a date such as 2026-11-01 or "
        in "\n".join(said)
    )
    assert said[-4:] == [
        "orders    19 (2 cancelled, 1 not shipped)",
        "shipments 16",
        "events    32 (16 order-shipped, 5 tracking-scanned, 11 tracking-uploaded)",
        "rejected  3",
    ]
    last = json.loads(rejects.read_bytes().splitlines()[-1])
    assert last["file"] == str(SAMPLES / "feed-2026-10-06.txt")
    assert (last["line"], last["column"]) == (11, "ship-date")
    assert last["row"].startswith("028-1000006-1000006\t")


def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    feed, copy = SAMPLES / "feed-2026-10-08.txt", tmp_path / "feed.txt"
    copy.write_bytes(feed.read_bytes())
    for option in ("--out", "--rejects"):
        done = vtr("import", f"{copy}@2026-10-08", "--seller", SELLER, option, str(copy))
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode() == f"vtr: cannot write {copy}: it is one of the files to read\n"
    assert copy.read_bytes() == feed.read_bytes()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_a_file_may_have_a_name_that_is_no_utf_8(tmp_path: Path) -> None:
    feed, rejects = os.fsdecode(os.fsencode(tmp_path) + b"/f\xfcr.txt"), tmp_path / "rejects.ndjson"
    Path(feed).write_bytes((SAMPLES / "feed-2026-10-06.txt").read_bytes())
    done = vtr("import", feed, "--seller", SELLER, "--rejects", str(rejects))
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["file"] for line in rejects.read_bytes().splitlines()} == {f"{tmp_path}/f\\xfcr.txt"}


def test_standard_input() -> None:
    feed = (SAMPLES / "feed-2026-10-08.txt").read_bytes()
    done = vtr("import", "-", "--seller", SELLER, "--marketplace", "GB", stdin=feed)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(event["type"], event.get("marketplace")) for event in events} == {
        ("order-shipped", "UK"),
        ("tracking-uploaded", None),
    }


def test_the_explanation_has_all_fields_and_sources() -> None:
    said = vtr("import", "--explain-import").stdout.decode()
    words = " ".join(said.replace("─", " ").split())
    for field in load_fields().fields:
        for _, column in field.sources:
            assert f" {column}\n" in said
        assert field.field in words
        assert field.otherwise.split(". ")[0][:40] in " ".join(words.split())
    assert all(len(line) <= 110 for line in said.splitlines())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["no-such-file.txt", "--seller", "A"], "vtr: cannot read no-such-file.txt: No such file or directory"),
        ([FILES[0]], "vtr: Missing option '--seller': no file tells whose it is. (see `vtr import --help`)"),
        (["--seller", "A"], "vtr: Missing argument 'FILE[@TIME]…'. (see `vtr import --help`)"),
        (
            [FILES[0], "--seller", "A", "--ship-from", "EU"],
            "vtr: --ship-from: `EU` is not an ISO 3166 alpha-2 country code",
        ),
        (
            ["x.txt@2026-13-01", "--seller", "A"],
            "vtr: x.txt@2026-13-01: `2026-13-01` is not a time such as 2026-11-01T12:00:00Z",
        ),
        (
            [f"{FILES[0]}@yesterday", "--seller", "A"],
            f"vtr: {FILES[0]}@yesterday: `yesterday` is not a time such as 2026-11-01T12:00:00Z",
        ),
        (["me@example.txt", "--seller", "A"], "vtr: cannot read me@example.txt: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], problem: str) -> None:
    done = vtr("import", *arguments)
    assert done.returncode != 0
    assert done.stderr.decode() == f"{problem}\n"

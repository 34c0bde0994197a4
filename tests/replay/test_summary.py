"""The line and the object by which two replays are compared."""

import json
from pathlib import Path

import pytest

from tests.command import vtr
from tests.replay.histories import history, write


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return history(800)


def summary(*arguments: str) -> dict[str, object]:
    done = vtr("replay", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_equal_replays_say_the_same_bytes(tmp_path: Path, lines: list[bytes]) -> None:
    one = write(tmp_path, "one.ndjson", [*lines, b"{"])
    two = write(tmp_path, "two.ndjson", [b"{", *reversed(lines)])
    said = [
        vtr("replay", file, "--json", "--hash-state", "--processes", processes).stdout
        for file in (one, two)
        for processes in "12"
    ]
    assert len(set(said)) == 1
    assert json.loads(said[0])["rejected_by_code"] == {"malformed_json": 1}
    lines_said = [vtr("replay", file).stdout.decode().splitlines()[4] for file in (one, two)]
    assert lines_said[0] == lines_said[1]
    assert lines_said[0].startswith(f"compare events {len(lines) + 1}  rejected 1  late 0  alerts ")
    assert lines_said[0].endswith(f"  results {json.loads(said[0])['results']}")


def test_another_history_is_another_hash(tmp_path: Path, lines: list[bytes]) -> None:
    whole = summary(write(tmp_path, "whole.ndjson", lines), "--hash-state")
    assert isinstance(whole["state"], str)
    numbers = [line for line in lines if b"tracking-uploaded" in line and b'"tracking_number":"' in line]
    changed = [line.replace(b'"carrier":"DHL"', b'"carrier":"dhl"') for line in lines]
    assert changed != lines
    # The same carrier by another name: no rate changes, and yet shipments are not as they were.
    spelled = summary(write(tmp_path, "spelled.ndjson", changed), "--hash-state")
    assert spelled["state"] != whole["state"]
    fewer = summary(write(tmp_path, "fewer.ndjson", [line for line in lines if line != numbers[0]]), "--hash-state")
    assert (fewer["results"], fewer["state"]) != (whole["results"], whole["state"])
    stricter = summary(str(tmp_path / "whole.ndjson"), "--threshold", "0.96")
    assert stricter["results"] != whole["results"]
    assert stricter["state"] is None


def test_with_records_on_standard_output_the_summary_goes_elsewhere(tmp_path: Path, lines: list[bytes]) -> None:
    done = vtr("replay", write(tmp_path, "a.ndjson", lines), "--alerts", "-", "--json")
    assert json.loads(done.stderr)["alerts"] == len(done.stdout.splitlines())


def test_what_is_no_file_is_written_to_as_it_is(tmp_path: Path, lines: list[bytes]) -> None:
    file = write(tmp_path, "a.ndjson", lines)
    assert vtr("replay", file, "--metrics", "/dev/null", "--rejects", "/dev/null").returncode == 0
    assert not Path("/dev/null").is_file()
    with (tmp_path / "open").open("w+b") as other:
        assert vtr("replay", file, "--metrics", f"/dev/fd/{other.fileno()}").returncode == 0
        assert other.read() == vtr("replay", file, "--metrics", "-").stdout
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert vtr("replay", file, "--metrics", str(tmp_path / "link")).returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == vtr("replay", file, "--metrics", "-").stdout


def test_an_output_that_cannot_be_written_is_known_before_the_replay(tmp_path: Path) -> None:
    for option in ("--metrics", "--alerts", "--rejects"):
        done = vtr("replay", "/nowhere.ndjson", option, str(tmp_path / "nowhere" / "out"))
        assert done.stderr.decode() == f"vtr: cannot write {tmp_path / 'nowhere' / 'out'}: No such file or directory\n"


@pytest.mark.parametrize("form", ["ndjson", "folder"])
def test_an_output_does_not_take_the_place_of_what_is_read(form: str, tmp_path: Path, lines: list[bytes]) -> None:
    file = write(tmp_path, "a.ndjson", lines)
    before = Path(file).read_bytes()
    (tmp_path / "link").symlink_to(file)
    for option in ("--metrics", "--alerts", "--rejects"):
        for name in (file, f"{tmp_path}/../{tmp_path.name}/a.ndjson", str(tmp_path / "link")):
            done = vtr("replay", file if form == "ndjson" else str(tmp_path), option, name)
            assert done.returncode == 1
            assert done.stderr.decode().splitlines()[-1] == (
                f"vtr: cannot write {name}: it is one of the files to read"
            )
    assert Path(file).read_bytes() == before


def test_two_outputs_are_two_files(tmp_path: Path, lines: list[bytes]) -> None:
    file, out = write(tmp_path, "a.ndjson", lines), str(tmp_path / "out")
    done = vtr("replay", file, "--metrics", out, "--alerts", out)
    assert (done.returncode, done.stderr.decode()) == (1, f"vtr: cannot write {out}: it is named for two outputs\n")


def test_sizes_are_as_people_write_them(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ndjson", [])
    for size in ("500MB", "1.5 GiB", "2TB"):
        assert vtr("replay", file, "--memory", size).returncode == 0
    for size in ("500", "0MB", "GB", "2 gb"):
        done = vtr("replay", file, "--memory", size)
        assert done.returncode == 2
        assert f"'{size}' is not a size" in done.stderr.decode()

"""The ``vtr`` command as a shell sees it: output, exit codes, errors on one line."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests.command import vtr

COMMANDS = [
    *("demo", "run", "topics", "topics create", "topics check", "simulate", "replay", "rebuild"),
    *("import", "what-if", "plot", "explain", "report", "reconcile", "alerts", "metrics"),
    *("policy", "policy list", "policy show"),
    *("dead-letters", "dead-letters show", "dead-letters resend"),
]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("history") / "history.ndjson"
    done = vtr("simulate", "--events", "5000", "--sellers", "12", "--seed", "3", "--out", str(file))
    assert done.returncode == 0, done.stderr
    return file


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_names_the_command_and_explains_it(command: str) -> None:
    done = vtr(*command.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.decode().startswith(f"Usage: vtr {command}".rstrip())
    assert b"Options:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["bogus"], "No such command 'bogus'", 2),
        (["run", "--bogus"], "--bogus", 2),
        (["run", "--threshold", "2"], "`threshold`", 1),
        (["run", "--broker", "http://x"], "`broker`", 1),
        (["run", "--store", "disk"], "'disk' is not one of 'memory', 'rocksdb'", 2),
        (["run", "--config", "/nowhere.toml"], "/nowhere.toml", 1),
        (["run", "--broker", "kafka://127.0.0.1:1", "--web-port", "0"], "127.0.0.1:1", 1),
        (["metrics", "--broker", "kafka://127.0.0.1:1"], "127.0.0.1:1", 1),
        (["topics", "check", "--broker", "kafka://127.0.0.1:1"], "127.0.0.1:1", 1),
        (["metrics", "--worst", "3", "--follow"], "--worst", 2),
        (["dead-letters", "--broker", "kafka://127.0.0.1:1"], "127.0.0.1:1", 1),
        (["dead-letters", "show", "0:1", "--broker", "kafka://127.0.0.1:1"], "127.0.0.1:1", 1),
        (["dead-letters", "show", "0-1"], "'0-1'", 2),
        (["dead-letters", "--code", "bogus"], "'bogus'", 2),
        (["dead-letters", "--limit", "3", "resend"], "after `resend`", 2),
        (["dead-letters", "--follow", "--summary"], "--summary", 2),
        (["dead-letters", "--follow", "--until", "2026-11-22"], "--until", 2),
        (["dead-letters", "--summary", "--limit", "3"], "--limit", 2),
        (["dead-letters", "resend", "/nowhere.ndjson"], "/nowhere.ndjson", 1),
        (["replay"], "FILE", 2),
        (["replay", "/nowhere.ndjson"], "/nowhere.ndjson", 1),
        (["replay", "/nowhere.ndjson", "--as-of", "soon"], "'soon'", 2),
        (["replay", "/nowhere.ndjson", "--speed", "60"], "--speed needs --into", 2),
        (
            ["replay", "--from-topics", "--since", "2026-11-02", "--until", "2026-11-01"],
            "--until is not after --since",
            2,
        ),
        (["dead-letters", "--since", "2026-11-02", "--until", "2026-11-02"], "--until is not after --since", 2),
        (["replay", "/nowhere.ndjson", "--allow-old"], "--allow-old needs --into", 2),
        (["policy", "show", "DE", "--on", "today"], "'today' is not a day such as 2026-11-01", 2),
        (["explain", "A1"], "SHIPMENT", 2),
        (["explain", "A1", "S1", "/nowhere.ndjson"], "/nowhere.ndjson", 1),
        (["explain", "A1", "S1", "/dev/null"], "there are no events in /dev/null", 1),
        (["explain", "A1", "S1", "--broker", "kafka://127.0.0.1:1"], "127.0.0.1:1", 1),
        (["explain", "A1", "S1", "/dev/null", "--policy", "/nowhere.toml"], "/nowhere.toml", 1),
        (["simulate"], "--out", 2),
        (["simulate", "--out", "/nowhere/x.ndjson"], "/nowhere/x.ndjson", 1),
        (["simulate", "--out", "-", "--period", "1"], "`end`", 1),
        (["simulate", "--out", "-", "--live"], "--live", 2),
        (["demo", "--duration", "0s"], "'0s'", 2),
    ],
)
def test_an_error_is_one_line_that_names_its_cause(arguments: list[str], said: str, code: int) -> None:
    done = vtr(*arguments)
    error = done.stderr.decode()
    assert done.returncode == code
    assert said in error
    assert error.startswith("vtr: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("group", ["", "topics", "policy"])
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    done = vtr(*group.split())
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == vtr(*group.split(), "--help").stdout


def test_each_command_is_told_on_one_whole_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for group in ("", "topics", "policy", "dead-letters"):
        _, _, commands = vtr(*group.split(), "--help").stdout.decode().partition("\nCommands:\n")
        told = commands.partition("\n\n")[0].splitlines()
        assert told
        assert [line for line in told if line.startswith("   ") or line.endswith("...")] == []


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "vtr.toml"
    file.write_text('min_counted = "many"\n')
    done = vtr("replay", str(file), "--config", str(file))
    assert done.returncode == 1
    assert str(file) in done.stderr.decode()
    assert "min_counted" in done.stderr.decode()


def test_simulate_writes_the_same_bytes_again(history: Path) -> None:
    again = vtr("simulate", "--events", "5000", "--sellers", "12", "--seed", "3", "--out", "-")
    other = vtr("simulate", "--events", "5000", "--sellers", "12", "--seed", "4", "--out", "-")
    assert again.stdout == history.read_bytes()
    assert other.stdout != again.stdout
    assert len(again.stdout.splitlines()) == 5000


def test_simulate_says_what_it_wrote_but_on_standard_output(tmp_path: Path) -> None:
    done = vtr("simulate", "--events", "10", "--out", str(tmp_path / "a"))
    assert (done.stdout, done.stderr.decode()) == (b"", f"wrote 10 events to {tmp_path / 'a'}\n")
    done = vtr("simulate", "--events", "10", "--out", "-")
    assert (done.stdout, done.stderr) == ((tmp_path / "a").read_bytes(), b"")


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_simulate_packs_and_replay_unpacks(history: Path, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"history.ndjson{ending}"
    vtr("simulate", "--events", "5000", "--sellers", "12", "--seed", "3", "--out", str(file))
    packed = file.read_bytes()
    unpacked = gzip.decompress(packed) if ending == ".gz" else zstandard.ZstdDecompressor().stream_reader(packed).read()
    assert unpacked == history.read_bytes()
    assert vtr("replay", str(file), "--metrics", "-").stdout == vtr("replay", str(history), "--metrics", "-").stdout


def test_replay_gives_the_same_bytes_for_any_order_and_any_split(history: Path, tmp_path: Path) -> None:
    outputs = []
    lines = history.read_bytes().splitlines(keepends=True)
    random.Random(7).shuffle(lines)  # noqa: S311 - an order, not a secret
    halves = [tmp_path / "a.ndjson", tmp_path / "b.ndjson"]
    halves[0].write_bytes(b"".join(lines[:1000]))
    halves[1].write_bytes(b"".join(lines[1000:]))
    for number, files in enumerate(([history], halves, [*halves, history])):
        metrics, alerts = tmp_path / f"metrics{number}", tmp_path / f"alerts{number}"
        done = vtr("replay", *map(str, files), "--metrics", str(metrics), "--alerts", str(alerts))
        assert done.returncode == 0, done.stderr
        outputs.append((metrics.read_bytes(), alerts.read_bytes()))
    assert outputs[0] == outputs[1] == outputs[2]
    metrics_bytes, alerts_bytes = outputs[0]
    assert len(metrics_bytes.splitlines()) > 12
    assert alerts_bytes


def test_replay_writes_one_metric_per_scope_sorted_by_key_at_one_instant(history: Path) -> None:
    done = vtr("replay", str(history), "--as-of", "2026-10-31T12:00:00Z", "--metrics", "-")
    metrics = [json.loads(line) for line in done.stdout.splitlines()]
    keys = [json.dumps([m["seller_id"], m["marketplace"], m["category"]], separators=(",", ":")) for m in metrics]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert {m["as_of"] for m in metrics} == {"2026-10-31T12:00:00Z"}
    assert b"after the end" in done.stderr


def test_replay_reads_standard_input(history: Path) -> None:
    piped = vtr("replay", "-", "--metrics", "-", stdin=history.read_bytes())
    assert piped.stdout == vtr("replay", str(history), "--metrics", "-").stdout


def test_replay_reports_bad_lines_with_file_and_number_and_goes_on(tmp_path: Path, history: Path) -> None:
    lines = history.read_bytes().splitlines()
    lines[1:1] = [b"", b"{broken", b'{"type":"order-shipped"}']
    file = tmp_path / "bad.ndjson"
    file.write_bytes(b"\n".join(lines) + b"\n")
    done = vtr("replay", str(file), "--metrics", str(tmp_path / "metrics"))
    assert done.returncode == 0
    assert f"{file}:3: malformed_json" in done.stderr.decode()
    assert f"{file}:4: missing_field" in done.stderr.decode()
    assert "5000 accepted, 2 rejected" in done.stdout.decode()
    assert (tmp_path / "metrics").read_bytes() == vtr("replay", str(history), "--metrics", "-").stdout


def test_replay_of_nothing_says_so(tmp_path: Path) -> None:
    file = tmp_path / "empty.ndjson"
    file.touch()
    done = vtr("replay", str(file), "--metrics", "-")
    assert done.returncode == 0
    assert done.stdout == b""
    assert b"0 events" in done.stderr


def test_replay_of_a_broken_archive_names_it(tmp_path: Path) -> None:
    file = tmp_path / "broken.ndjson.gz"
    file.write_bytes(b"no archive")
    done = vtr("replay", str(file))
    assert done.returncode == 1
    assert str(file) in done.stderr.decode()


def test_settings_come_from_the_environment_too(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "vtr.toml"
    file.write_text("threshold = 0.5\nwarn_level = 0.5\n")
    monkeypatch.setenv("VTR_CONFIG", str(file))
    assert b'"threshold":0.5' in vtr("replay", str(history), "--metrics", "-").stdout
    monkeypatch.setenv("VTR_THRESHOLD", "0.4")
    assert b'"threshold":0.4' in vtr("replay", str(history), "--metrics", "-").stdout
    assert b'"threshold":0.3' in vtr("replay", str(history), "--threshold", "0.3", "--metrics", "-").stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", ["simulate --out -", "policy list", "--help"])
def test_output_for_which_there_is_no_room_is_one_line(arguments: str) -> None:
    command = f"{sys.executable} -m stream {arguments} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b"vtr: cannot write standard output: No space left on device\n"


def test_a_reader_who_has_seen_enough_is_no_error(history: Path) -> None:
    piped = f"{sys.executable} -m stream replay {history} --metrics - 2>/dev/null | head -1"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, timeout=60, check=False)
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr

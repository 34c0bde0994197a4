"""A replay that was interrupted goes on to the same bytes, or says why not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from errno import ENOSPC
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from stream.kafka.cluster import Cluster
from stream.replay import CheckpointError, HistoryFile, Replay, Source, TopicHistory, find_sources, meter, replay
from stream.replay.checkpoint import Checkpoint
from stream.replay.meter import Numbers, Reading
from stream.replay.terms import Terms
from stream.settings import Settings
from tests.command import vtr
from tests.policy.facts import rules
from tests.replay.histories import history, said, write

SETTINGS = Settings(min_counted=5)

MORE_THAN_A_PIPE_HOLDS = 1 << 20
"""Bytes; Linux lets a pipe hold 64 KiB, and no more than this where one asks for it."""

REUSE = rules("strict", ["DE", "FR"], 'reuse = { treatment = "defect", grade = "D", source = ["ours"] }\n')


class Stop:
    """Interrupts the replay when it is asked for the ``number``-th time how far it is."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.was_playing = False

    def __call__(self, meters: Sequence[Numbers]) -> None:
        self.left -= 1
        self.was_playing = bool(meters[0][Reading.IS_PLAYING])
        if self.left < 0:
            raise KeyboardInterrupt


def attempt(folder: Path, files: list[str], settings: Settings, stop: Stop) -> Replay | None:
    """Replay, or go on with it; None when it was interrupted."""
    found = find_sources(files).sources
    terms = Terms.of(found, settings, None, 1)
    if folder.exists():
        checkpoint, begun = Checkpoint.resume(folder)
        assert begun.difference(terms) is None
    else:
        checkpoint = Checkpoint.begin(folder, terms)
    try:
        result = replay(
            found, settings, memory=300_000, checkpoint=checkpoint, checkpoint_seconds=0, hash_state=True, show=stop
        )
        checkpoint.remove()
    except KeyboardInterrupt:
        return None
    finally:
        checkpoint.close()
    return result


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("history")
    lines = [*history(1200, days=50), b"{", b'{"type":"order-shipped"}']
    return [write(folder, "a.ndjson", lines[::2]), write(folder, "b.ndjson.gz", lines[1::2])]


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Where a shell starts the tests in the background, they ignore it, and so would the commands that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the state of every hour, asks after every minute, and trusts the machine not to fail."""
    monkeypatch.setattr(meter, "TELL_EVERY", 1)
    monkeypatch.setattr("stream.replay.share_state.SHARE_OF_TIME", 1e9)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("strict", [False, True])
def test_a_replay_that_is_interrupted_again_and_again_comes_to_the_same(
    files: list[str], tmp_path: Path, strict: bool
) -> None:
    settings = SETTINGS
    if strict:
        (tmp_path / "rules.toml").write_text(REUSE)
        settings = Settings(min_counted=5, policy_file=str(tmp_path / "rules.toml"), valid_when="scan")
    expected = said(replay(files, settings, hash_state=True))
    random = Random(4)  # noqa: S311 - moments that are always the same
    checkpoint = tmp_path / "checkpoint"
    interruptions = 0
    while (result := attempt(checkpoint, files, settings, stop := Stop(random.randrange(10, 300)))) is None:
        interruptions += stop.was_playing
    assert interruptions > 5
    assert said(result) == expected
    assert not checkpoint.exists()


@pytest.mark.usefixtures("eager")
def test_what_comes_after_the_state_is_not_said_twice(files: list[str], tmp_path: Path) -> None:
    """A process may be killed after it wrote alerts, and before the state that counts them is there."""
    checkpoint = tmp_path / "checkpoint"
    assert attempt(checkpoint, files, SETTINGS, Stop(1000)) is None
    alerts = checkpoint / "share-0" / "alerts.ndjson"
    before = alerts.read_bytes()
    assert before
    alerts.write_bytes(before + before.splitlines(keepends=True)[-1] + b'{"half')
    result = attempt(checkpoint, files, SETTINGS, Stop(1 << 40))
    assert result is not None
    assert said(result) == said(replay(files, SETTINGS, hash_state=True))


# --- The command -----------------------------------------------------------------------------------------------------

_EAGER = """
import sys
from stream.replay import processes, share_state
processes.replay.__kwdefaults__["checkpoint_seconds"] = 0
share_state.SHARE_OF_TIME = 0.5
sys.argv[0] = "vtr"
from stream.cli import main
main()
"""
"""The command, but it keeps its state all the time."""


@pytest.mark.parametrize(("number", "processes"), [(signal.SIGINT, 1), (signal.SIGKILL, 2), (signal.SIGTERM, 2)])
def test_a_command_that_is_ended_goes_on_to_the_same_bytes(number: int, processes: int, tmp_path: Path) -> None:
    file = write(tmp_path, "a.ndjson", [*history(6000), b"{"])
    outputs = ("metrics", "alerts", "rejects")
    to = {name: [f"--{name}", str(tmp_path / name)] for name in outputs}
    command = ["replay", file, "--json", "--hash-state", "--processes", str(processes), *chain(*to.values())]
    expected = vtr(*command)
    assert expected.returncode == 0, expected.stderr
    whole = {name: (tmp_path / name).read_bytes() for name in outputs}
    assert all(whole.values())
    for name in outputs:
        (tmp_path / name).write_bytes(b"from before")

    folder = tmp_path / "checkpoint"
    command += ["--checkpoint", str(folder)]
    child = subprocess.Popen(
        [sys.executable, "-c", _EAGER, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30
    while child.poll() is None and time.monotonic() < until and not (folder / "share-0" / "state").exists():
        time.sleep(0.01)
    time.sleep(Random(number).random() * 0.1)  # noqa: S311 - some moment
    child.send_signal(number)
    output, errors = child.communicate(timeout=30)
    assert child.returncode == (-number if number == signal.SIGKILL else 130 if number == signal.SIGINT else 143), (
        errors
    )
    assert output.strip() == ""
    assert {(tmp_path / name).read_bytes() for name in outputs} == {b"from before"}
    if number != signal.SIGKILL:
        assert errors.strip() == f"vtr: interrupted; go on with: vtr {' '.join(command)} --resume"
        assert not list(tmp_path.glob(".*"))

    resumed = vtr(*command, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == expected.stdout
    assert {name: (tmp_path / name).read_bytes() for name in outputs} == whole
    assert not folder.exists()


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[str, str]:
    """A file, and the folder of a replay of it by two processes that was interrupted."""
    file = write(tmp_path, "a.ndjson", history(40))
    (tmp_path / "rules.toml").write_text(REUSE)
    settings = Settings(policy_file=str(tmp_path / "rules.toml"), min_counted=5)
    folder = tmp_path / "checkpoint"
    Checkpoint.begin(folder, Terms.of(find_sources([file]).sources, settings, None, 2)).close()
    return file, str(folder)


def test_a_replay_of_other_terms_is_refused(interrupted: tuple[str, str], tmp_path: Path) -> None:
    file, folder = interrupted
    rules_file = tmp_path / "rules.toml"
    other = write(tmp_path, "b.ndjson", [])
    own = ["--policy", str(rules_file), "--min-counted", "5"]

    def refusal(*arguments: str) -> str:
        done = vtr("replay", *arguments, "--checkpoint", folder, "--resume")
        assert done.returncode == 1
        return done.stderr.decode().removeprefix(f"vtr: cannot go on from {folder}: ").strip()

    assert refusal(file, "--policy", str(rules_file)) == "the setting min_counted was 5, and is 20"
    assert refusal(file, *own, "--as-of", "2026-09-01") == "--as-of was not given, and is 2026-09-01 00:00:00+00:00"
    assert refusal(file, *own, "--processes", "3") == "it was begun by 2 processes, and not 3"
    assert refusal(file, other, *own) == f"{other} was not among the files"
    assert refusal(other, *own) in (f"{other} was not among the files", f"{file} was among the files")
    os.utime(file, ns=(1, 1))
    assert refusal(file, *own) == f"{file} has changed since"
    rules_file.write_text(REUSE + "# changed\n")
    assert refusal(file, *own) == f"{rules_file} has changed since"


def test_a_folder_that_is_not_as_it_must_be_is_named(interrupted: tuple[str, str], tmp_path: Path) -> None:
    file, folder = interrupted

    def error(*arguments: str) -> str:
        done = vtr("replay", file, *arguments)
        assert done.returncode != 0
        assert done.stderr.count(b"\n") == 1
        return done.stderr.decode()

    assert "holds a replay that was interrupted: --resume" in error("--checkpoint", folder)
    assert "holds other files" in error("--checkpoint", str(tmp_path))
    assert "there is no replay in" in error("--checkpoint", str(tmp_path / "other"), "--resume")
    assert "--resume needs --checkpoint" in error("--resume")
    assert "would be read as history" in error(str(tmp_path), "--checkpoint", str(tmp_path / "other"))
    assert "cannot write to /proc/nowhere" in error("--checkpoint", "/proc/nowhere")
    (Path(folder) / "terms.json").write_text("{")
    assert "terms.json is damaged" in error("--checkpoint", folder, "--resume")
    done = vtr("replay", "-", "--checkpoint", str(tmp_path / "new"))
    assert done.stderr.startswith(b"vtr: a replay of standard input cannot go on later")
    os.mkfifo(tmp_path / "pipe")
    done = vtr("replay", str(tmp_path / "pipe"), "--checkpoint", str(tmp_path / "new"))
    assert done.stderr.startswith(b"vtr: a replay of the pipe ")


def test_no_checkpoint_is_offered_where_there_can_be_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stream", "replay", "-", "--metrics", str(tmp_path / "metrics")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.write("\n" * MORE_THAN_A_PIPE_HOLDS)  # when this is done, the command has begun to read
    child.stdin.flush()
    assert list(tmp_path.iterdir())
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert (child.returncode, errors.strip()) == (130, "vtr: interrupted")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "what"),
    [(HistoryFile("-", None), "standard input"), (TopicHistory(Cluster(broker="kafka://127.0.0.1:1"), ()), "topics")],
)
def test_what_may_not_be_there_again_has_no_checkpoint(source: Source, what: str) -> None:
    with pytest.raises(CheckpointError, match=f"a replay of {what} cannot go on later: give files"):
        Terms.of([source], SETTINGS, None, 1)


def test_two_replays_do_not_share_a_folder(interrupted: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = interrupted
    monkeypatch.setattr("stream.replay.checkpoint.LOCK_SECONDS", 0.1)
    checkpoint, _ = Checkpoint.resume(Path(folder))
    try:
        done = vtr("replay", file, "--checkpoint", folder, "--resume")
    finally:
        checkpoint.close()
    assert done.stderr.decode() == f"vtr: another replay uses {folder}\n"


def test_a_folder_of_other_things_keeps_them(files: list[str], tmp_path: Path) -> None:
    """Somebody may have put something beside it meanwhile."""
    folder = tmp_path / "checkpoint"
    assert attempt(folder, files, SETTINGS, Stop(30)) is None
    (folder / "notes.txt").touch()
    assert attempt(folder, files, SETTINGS, Stop(1 << 40)) is not None
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_replay_that_ended_before_it_had_begun_or_while_it_removed_its_folder_begins_anew(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_sources(files).sources
    terms = Terms.of(found, SETTINGS, None, 2)
    folder = tmp_path / "unfinished"

    def no_room(*_: object) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("stream.replay.checkpoint.write_whole", no_room)
        with pytest.raises(CheckpointError, match="No space left on device"):
            Checkpoint.begin(folder, terms)
    begun = Checkpoint.begin(folder, terms)
    (begun.share(1) / "sorted.json").touch()
    (folder / "terms.json").unlink()
    (folder / ".terms.json.part").touch()
    begun.close()
    checkpoint = Checkpoint.begin(folder, Terms.of(found, SETTINGS, None, 1))
    result = replay(found, SETTINGS, memory=300_000, checkpoint=checkpoint)
    checkpoint.remove()
    assert said(result) == said(replay(found, SETTINGS))
    assert not folder.exists()

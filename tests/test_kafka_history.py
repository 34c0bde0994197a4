"""The options of ``vtr replay`` about Kafka, where no broker is needed to see that they cannot be meant."""

import pytest

from tests.command import vtr

REFUSED = "kafka://127.0.0.1:1"
TOPICS = ["--from-topics", "--broker", REFUSED]


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (TOPICS, "cannot reach a Kafka broker at 127.0.0.1:1", 1),
        (["FILE", *TOPICS], "either FILE", 2),
        (["FILE", "--partitions", "0"], "--partitions needs --from-topics", 2),
        (["FILE", "--from-offsets", "a/0:1"], "--from-offsets needs --from-topics", 2),
        (["FILE", "--to-offsets", "a/0:1"], "--to-offsets needs --from-topics", 2),
        (["FILE", "--since", "2026-11-01"], "--since and --until need", 2),
        ([*TOPICS, "--partitions", "0,x"], "'0,x' are no numbers", 2),
        ([*TOPICS, "--from-offsets", "a/0"], "'a/0' is no offset", 2),
        ([*TOPICS, "--to-offsets", "a/0:1,b"], "'b' is no offset", 2),
        ([*TOPICS, "--into", "127.0.0.1:1"], "its events are there already", 2),
        (["/dev/null", "--into", REFUSED], "cannot reach a Kafka broker at 127.0.0.1:1", 1),
        (["/dev/null", "--into", REFUSED, "--speed", "0"], "'0' is neither max nor a number", 2),
        (["/dev/null", "--into", REFUSED, "--speed", "nan"], "'nan' is neither max nor a number", 2),
        (["/dev/null", "--into", REFUSED, "--alerts", "-"], "do not go with it", 2),
        (["/dev/null", "--into", REFUSED, "--json"], "do not go with it", 2),
        (["/dev/null", "--into", REFUSED, "--checkpoint", "FOLDER"], "do not go with it", 2),
        (["/dev/null", "--into", "http://x"], "got 'http://x'", 2),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], said: str, code: int) -> None:
    done = vtr("replay", *arguments)
    error = done.stderr.decode()
    assert said in error
    assert done.returncode == code
    assert error.startswith("vtr: ")
    assert error.count("\n") == 1

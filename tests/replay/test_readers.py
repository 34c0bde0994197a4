"""Whatever looks at a history reads it in every form, from folders too, and says what of it was left out."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from tests.replay.histories import history, write


def of(*command: str) -> Result:
    return CliRunner().invoke(cli, command, catch_exceptions=False)


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A file, and a folder of the same events in files of three forms, with one of another name and a broken line."""
    folder = tmp_path_factory.mktemp("history")
    lines = history(3000, days=60)
    file = write(folder, "whole.ndjson", [*lines, b"{"])
    write(folder, "parts/a.csv", lines[::3])
    write(folder, "parts/more/b.parquet", lines[1::3])
    write(folder, "parts/c.ndjson.gz", [*lines[2::3], b"{"])
    (folder / "parts" / "notes.txt").write_text("none of it")
    return file, str(folder / "parts")


def shipment(file: str) -> tuple[str, str]:
    event = json.loads(Path(file).read_bytes().splitlines()[0])
    return event["seller_id"], event["shipment_id"]


@pytest.mark.parametrize(
    "command",
    [
        ("replay", "FILES", "--json", "--processes", "2"),
        ("replay", "FILES", "--metrics", "-", "--memory", "200KB", "--processes", "1"),
        ("what-if", "FILES", "--than", "threshold=0.9", "--json", "--processes", "2", "--memory", "400KB"),
        ("plot", "FILES", "--seller", "SELLER", "--out", "-"),
        ("explain", "SELLER", "SHIPMENT", "FILES", "--json"),
        ("report", "SELLER", "--format", "json", "--window", "official", "--history", "FILES"),
        ("reconcile", "SELLER", "tests/imports/samples/account-health.json", "--history", "FILES", "--json"),
    ],
    ids=lambda command: command[0],
)
def test_forms_and_folders_are_read_alike(forms: tuple[str, str], command: tuple[str, ...]) -> None:
    file, folder = forms
    seller_id, shipment_id = shipment(file)

    def said(files: str) -> Result:
        names = {"FILES": files, "SELLER": seller_id, "SHIPMENT": shipment_id}
        return of(*(names.get(word, word) for word in command))

    whole, parts = said(file), said(folder)
    assert whole.exit_code == parts.exit_code == 0, whole.output + parts.output
    assert whole.stdout == parts.stdout
    assert len(whole.stdout) > 200
    assert "malformed_json" in whole.stderr
    assert f"rejected  {folder}/c.ndjson.gz:1051: malformed_json" in parts.stderr
    assert f"left out  {folder}/notes.txt: by its name it is no history" in parts.stderr
    assert parts.stderr.count("left out") == 1

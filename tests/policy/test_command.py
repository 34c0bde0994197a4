"""``vtr policy``, as a shell sees it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.settings import SettingsError
from tests.policy.facts import rules


def vtr(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["policy", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def flat(text: str) -> str:
    return " ".join(text.split())


def test_list_has_a_line_for_every_entry() -> None:
    lines = vtr("list").splitlines()
    assert "amazon-de-2021-04-19         2021-04-19  2025-01-14        95%  tracking  DE" in lines
    assert "amazon-br-international      —           —                 85%  tracking  BR-INTERNATIONAL" in lines
    assert lines[-1].startswith("default ")
    assert lines[-1].endswith("BE EG IE MX SG TR ZA and any other")
    documents = [json.loads(line) for line in vtr("list", "--json").splitlines()]
    assert len(documents) == len(lines) - 1
    (german,) = [each for each in documents if each["policy"] == "amazon-de-2021-04-19"]
    assert german == {
        "policy": "amazon-de-2021-04-19",
        "family": "amazon-de",
        "title": "Amazon.de (Germany)",
        "marketplaces": ["DE"],
        "from": "2021-04-19",
        "until": "2025-01-14",
        "threshold": 0.95,
        "valid_when": "tracking",
    }


def test_show_tells_the_rules_in_plain_words() -> None:
    text = flat(vtr("show", "DE", "--on", "2025-01-15"))
    assert text.startswith("DE on 2025-01-15: Amazon.de (Germany) amazon-de-2025-01-15, in force since 2025-01-15")
    assert "threshold: 95% [R, N2, N12]" in text
    assert (
        "low_value_letter: from one country to another, both ends among AT, DE, ES, FR, IT, NL, PL, PT or SE, sent as "
        "a letter, worth less than EUR 20 [R, S9, N2, N11, N12]"
    ) in text
    assert "Counted and flagged, because the sources leave it open" in text
    assert "low_value: within one country, worth at most EUR 15; the German notice counts" in text
    assert "N2 https://whowillcare.net/" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["DE", "--on", "2025-01-14"], "amazon-de-2021-04-19, in force from 2021-04-19 to 2025-01-14"),
        (["A1PA6795UKMFR9", "--on", "2025-01-14"], "DE on 2025-01-14: Amazon.de (Germany)"),
        (["gb", "--on", "2024-06-01"], "UK on 2024-06-01: Amazon.co.uk (UK)"),
        (["JP", "--on", "2024-06-01"], "by the day a delivery is promised for"),
        (["MX", "--on", "2024-06-01"], "No rules of MX for this day are known."),
        (["DE", "--on", "2020-06-01"], "No rules of DE for this day are known."),
        (["DE", "--on", "2024-06-01", "--threshold", "0.9"], "threshold: 90% (set, instead of 95%) [R, N10]"),
        (["DE", "--on", "2024-06-01", "--grace-hours", "5"], "missing for 5 hours (set, instead of 24) after"),
        (["DE", "--on", "2024-06-01", "--valid-when", "scan"], "valid by scan (set, instead of tracking): carrier and"),
        (["US", "--on", "2016-01-01"], "the sources give November 2015 as the beginning, without the day"),
    ],
)
def test_show(arguments: list[str], said: str) -> None:
    assert said in flat(vtr("show", *arguments))


def test_show_fits_a_terminal() -> None:
    for marketplace in ("US", "UK", "DE", "FR", "MX"):
        text = vtr("show", marketplace, "--on", "2026-01-01").partition("Sources")[0]
        assert max(map(len, text.splitlines())) <= 110


def test_show_as_json_is_the_data() -> None:
    shown = json.loads(vtr("show", "US", "--on", "2026-01-01", "--grace-hours", "7", "--json"))
    assert (shown["policy"], shown["marketplace"]) == ("amazon-us-2025-01-15", "US")
    assert shown["in_force"] == {"threshold": 0.95, "grace_hours": 7, "valid_when": "tracking"}
    assert shown["rules"]["grace"]["hours"] == 24
    assert shown["rules"]["scans"][1]["needs"] == ["arrival", "delivery"]
    assert shown["sources"]["S10"].startswith("https://sellercentral.amazon.com/")


def test_a_users_rules(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(rules("my-shop", ["MYSHOP"], "from = 2026-01-01\n"))
    assert "MYSHOP" in vtr("list", "--policy", str(file))
    text = flat(vtr("show", "MYSHOP", "--policy-file", str(file), "--on", "2026-06-01"))
    assert "my-shop-2026-01-01, in force since 2026-01-01" in text
    file.write_text("[my-shop]\n")
    with pytest.raises(SettingsError, match=r"^my\.toml, \[my-shop\]: there are no `rules`$"):
        vtr("list", "--policy", str(file))

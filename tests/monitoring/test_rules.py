"""The rules for Prometheus, by its own checks and tests, and held to the metrics that there are."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.monitoring.metrics import METRICS
from tests.monitoring.programs import INSTALL, program

PROJECT = Path(__file__).parents[2]
MONITORING = PROJECT / "stream" / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
ALERTMANAGER = MONITORING / "alertmanager"
FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = Path(__file__).with_name("rules")
RULES: list[dict[str, Any]] = [
    rule for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]
]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS = [rule for rule in RULES if "alert" in rule]


def said_by(*command: str | Path) -> str:
    """What a program says. Fails where it finds fault."""
    name, *arguments = map(str, command)
    run = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def metric_names() -> set[str]:
    """All names that a worker's metrics have in queries."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "gauge histogram": ("_bucket", "_gsum", "_gcount")}
    return {metric.name + suffix for metric in METRICS for suffix in suffixes.get(metric.kind, ("",))}


def names_in(expression: str) -> set[str]:
    """The names of metrics and of recorded rules in an expression."""
    name = r"\b(?:job(?:_\w+)?:)?vtr_\w+(?::\w+)?|\bup\b|\bprocess_\w+"
    return set(re.findall(name, re.sub(r'"[^"]*"', "", expression)))


def test_the_configuration_is_valid() -> None:
    said = said_by("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert {str(file) for file in FILES} <= set(re.findall(r"^Checking (\S+)", said, re.MULTILINE))
    said_by("amtool", "check-config", ALERTMANAGER / "alertmanager.yml")


@pytest.mark.parametrize("file", sorted(TESTS.glob("*.test.yml")), ids=lambda file: file.name)
def test_rules_do_what_their_tests_say(file: Path) -> None:
    said_by("promtool", "test", "rules", file)


def test_every_alert_is_tested_firing_and_not_firing() -> None:
    tested: dict[str, set[bool]] = {}
    for file in TESTS.glob("*.test.yml"):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for alert in test.get("alert_rule_test", ()):
                tested.setdefault(alert["alertname"], set()).add(bool(alert["exp_alerts"]))
    assert tested == {alert["alert"]: {False, True} for alert in ALERTS}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("record") or rule["alert"])
def test_rules_ask_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    names = names_in(rule["expr"])
    assert names
    assert names - metric_names() - set(RECORDED) - {"up", "process_start_time_seconds"} == set()


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_rules_are_named_by_the_guide(name: str) -> None:
    level, metric, _ = name.split(":")
    (labels,) = set(re.findall(r"(?:sum|min|max|count) by \(([\w, ]+)\)", RECORDED[name])[:1]) or {""}
    if labels:
        assert level == "_".join(labels.split(", "))
    assert metric.startswith("vtr_")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alerts_say_how_grave_they_are_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["alert"].startswith("Vtr")
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description"}
    assert re.fullmatch(r"\d+m", alert["for"])


def test_the_readme_lists_them() -> None:
    lines = re.findall(r"^\| `(Vtr\w+)` \| (\w+) \|", (PROJECT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(lines) == sorted((alert["alert"], alert["labels"]["severity"]) for alert in ALERTS)


def test_alerts_that_others_make_needless_exist() -> None:
    config = yaml.safe_load((ALERTMANAGER / "alertmanager.yml").read_text())
    named = re.findall(r"Vtr\w+", str(config["inhibit_rules"]))
    assert set(named) <= {alert["alert"] for alert in ALERTS}
    assert [receiver["name"] for receiver in config["receivers"]] == [config["route"]["receiver"]]


def test_ci_installs_the_programs() -> None:
    ci = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    assert INSTALL.replace("install", "install -y") in ci

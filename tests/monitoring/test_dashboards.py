"""The shape of Grafana's dashboards and of what provisions them. What they ask is asked in ``tests/worker``."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.monitoring.metrics import METRICS
from tests.monitoring.dashboards import FILES, GRAFANA, filled, load, queries, variables
from tests.monitoring.test_rules import RECORDED, metric_names, names_in

SOURCES = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
COLUMNS = 24

OTHERS = {"process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes", "ALERTS", "up"}
"""What does not come from our own definitions."""


def ids(file: Path) -> str:
    return file.stem


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_uids_and_titles_are_unique() -> None:
    dashboards = [load(file) for file in FILES]
    assert len(dashboards) == 3
    assert [dashboard["uid"] for dashboard in dashboards] == [f"vtr-{file.stem}" for file in FILES]
    assert len({dashboard["title"] for dashboard in dashboards}) == len(dashboards)


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_panels_have_their_own_ids_and_places(file: Path) -> None:
    panels: list[dict[str, Any]] = load(file)["panels"]
    numbers = [panel["id"] for panel in panels]
    assert numbers == list(range(1, len(panels) + 1))
    for panel in panels:
        place = panel["gridPos"]
        assert set(place) == {"x", "y", "w", "h"}
        assert min(place["x"], place["y"]) >= 0
        assert min(place["w"], place["h"]) >= 1
        assert place["x"] + place["w"] <= COLUMNS
    for one, other in combinations(panels, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), f"{one['title']} lies on {other['title']}"


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_panels_ask_the_source_that_is_provisioned(file: Path) -> None:
    (source,) = SOURCES
    expected = {"type": source["type"], "uid": source["uid"]}
    dashboard = load(file)
    for panel in dashboard["panels"]:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["datasource"] == expected
            assert panel["targets"]
            names = [target["refId"] for target in panel["targets"]]
            assert len(set(names)) == len(names)
    for variable in dashboard["templating"]["list"]:
        assert variable["datasource"] == expected


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_queries_name_metrics_and_variables_that_there_are(file: Path) -> None:
    dashboard = load(file)
    known = dict.fromkeys((variable.name for variable in variables(dashboard)), "value")
    for where, expression in queries(dashboard):
        assert "$" not in filled(expression, known), where
        names = names_in(expression) | set(re.findall(r"\b(?:process_\w+|ALERTS)\b", expression))
        assert names, where
        assert names - metric_names() - set(RECORDED) - OTHERS == set(), where
        assert 'job="$job"' in expression, f"{where} mixes deployments"
    for variable in variables(dashboard):
        assert names_in(variable.selector) <= metric_names()


def test_every_metric_of_a_worker_is_shown_or_alerted_on() -> None:
    shown = " ".join(expression for file in FILES for _, expression in queries(load(file)))
    used = names_in(shown + " " + " ".join(RECORDED.values()) + " vtr_build_info")
    assert [metric.name for metric in METRICS if not any(name.startswith(metric.name) for name in used)] == []


def test_links_between_dashboards_lead_somewhere() -> None:
    uids = {load(file)["uid"] for file in FILES}
    linked = {uid for file in FILES for uid in re.findall(r"/d/([\w-]+)", file.read_text(encoding="utf-8"))}
    assert linked
    assert linked <= uids


def test_the_rate_interval_is_four_scrapes() -> None:
    config = yaml.safe_load((GRAFANA.parent / "prometheus" / "prometheus.yml").read_text())
    assert SOURCES[0]["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]

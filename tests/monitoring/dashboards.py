"""What Grafana's dashboards ask for."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from tests.monitoring.stack import MONITORING

GRAFANA = MONITORING / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))

RATE_INTERVAL = "30s"
"""Four scrapes at least, as in Grafana."""


class Query(NamedTuple):
    """A query of a panel, as it stands in the dashboard."""

    where: str
    expression: str


class Variable(NamedTuple):
    """A variable whose values are those of a label in series."""

    name: str
    selector: str
    label: str


def load(file: Path) -> dict[str, Any]:
    """A dashboard."""
    dashboard: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return dashboard


def queries(dashboard: dict[str, Any]) -> list[Query]:
    """All that its panels ask."""
    return [
        Query(f"{dashboard['title']} / {panel['title']} / {target['refId']}", target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def variables(dashboard: dict[str, Any]) -> list[Variable]:
    """Its variables, in the order in which they may name each other."""
    found = []
    for variable in dashboard["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert match is not None, f"{dashboard['title']}: {variable['query']}"
        found.append(Variable(variable["name"], match[1], match[2]))
    return found


def filled(expression: str, values: dict[str, str]) -> str:
    """An expression with the values of variables, as Grafana would send it. Fails where one has none."""
    known = values | {"__rate_interval": RATE_INTERVAL}
    return re.sub(r"\$(\w+)", lambda match: known[match[1]], expression)

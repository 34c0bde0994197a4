"""A series is what replays have at its instants."""

import csv
import random
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from stream.explain import NotFoundError
from stream.plot import Sample
from stream.plot.table import COLUMNS, csv_bytes
from stream.records import Metric, Scope
from stream.replay import Replay, replay
from stream.settings import Settings
from tests.plot.history import DAY, END, HOUR, NOON, SETTINGS, scopes, series_of, with_gap, written
from tests.policy.facts import rules


def metric_at(file: str, scope: Scope, at: datetime, settings: Settings = SETTINGS) -> Metric | None:
    found = {metric.scope: metric for metric in replay([file], settings, as_of=at).metrics}
    return found.get(scope)


def test_each_sample_is_the_metric_of_a_replay_to_its_instant(file: str, whole: Replay) -> None:
    for scope in scopes(whole):
        series = series_of(file, scope)
        chosen = random.Random(1).sample(series.samples, 2)  # noqa: S311 - any will do
        for sample in (*chosen, series.samples[-1]):
            assert sample.metric == metric_at(file, scope, sample.at)


def test_alerts_are_those_of_the_replay_and_each_has_its_sample(file: str, whole: Replay) -> None:
    for scope in scopes(whole):
        series = series_of(file, scope)
        assert series.alerts == [alert for alert in whole.alerts if alert.scope == scope]
        assert len(series.alerts) > 2
        samples = dict(series.samples)
        assert [samples[alert.since] for alert in series.alerts] == [alert.metric for alert in series.alerts]


def test_there_is_a_sample_at_every_full_hour_and_at_the_end(file: str, whole: Replay) -> None:
    series = series_of(file, scopes(whole)[0])
    instants = [sample.at for sample in series.samples]
    assert instants == sorted(set(instants))
    alerts = {alert.since for alert in series.alerts}
    hours = [at for at in instants if at not in alerts or not (at.minute or at.second)][:-1]
    assert hours == [hours[0] + n * HOUR for n in range(len(hours))]
    assert instants[-1] == series.as_of == whole.as_of
    assert series.as_of - hours[-1] < HOUR
    earlier = series_of(file, series.scope, as_of=END - 9 * DAY)
    assert earlier.as_of == END - 9 * DAY
    assert earlier.samples[:-1] == [sample for sample in series.samples if sample.at < earlier.as_of]


def test_undefined_where_nothing_is_counted(tmp_path: Path) -> None:
    series = series_of(written(tmp_path / "gap.ndjson", with_gap()), Scope("A", "DE", "Home"))
    rates = [(at, None if metric is None else metric.live.vtr) for at, metric in series.samples]
    turns = [rates[0]] + [now for before, now in pairwise(rates) if now[1] != before[1]]
    breach = NOON + 25 * HOUR
    assert turns == [
        (NOON + HOUR, None),  # nothing of it is known before
        (NOON + 4 * HOUR, 1.0),
        (breach, 0.9),
        (NOON + 30 * DAY, None),
        (NOON + 60 * DAY + 2 * HOUR, 1.0),
    ]
    assert [(alert.type, alert.since) for alert in series.alerts] == [
        ("vtr-breached", breach),
        ("vtr-recovered", NOON + 30 * DAY),
    ]
    assert Sample(NOON + 55 * DAY, None) in series.samples  # the scope itself is gone


def test_a_threshold_that_changes_with_the_rules(tmp_path: Path) -> None:
    policy = tmp_path / "rules.toml"
    policy.write_text(
        rules("mine", ["DE"], "", "from = 2026-08-20\n").replace("0.95", "0.80", 2).replace("0.80", "0.95", 1)
    )
    settings = Settings(min_counted=5, policy_file=str(policy))
    file = written(tmp_path / "history.ndjson", with_gap())
    series = series_of(file, Scope("A", "DE"), settings, as_of=NOON + 25 * DAY)
    change = datetime.fromisoformat("2026-08-20T00:00:00Z")
    for at, metric in series.samples:
        assert metric is not None
        assert metric.threshold == (0.95 if at < change else 0.8)
        assert metric.policy == ("mine" if at < change else "mine-2026-08-20")
    for at in (change - HOUR, change, change + HOUR):
        assert dict(series.samples)[at] == metric_at(file, series.scope, at, settings)


def test_the_table_is_the_series(file: str, whole: Replay, tmp_path: Path) -> None:
    gap = written(tmp_path / "gap.ndjson", with_gap())
    for series in (series_of(file, scopes(whole)[1]), series_of(gap, Scope("A"))):
        rows = list(csv.DictReader(csv_bytes(series).decode().splitlines()))
        alerts = {alert.since: alert.type for alert in series.alerts}
        for row, (at, metric) in zip(rows, series.samples, strict=True):
            assert tuple(row) == COLUMNS
            assert datetime.fromisoformat(row["time"]) == at
            assert row["time"].endswith("Z")
            assert row["alert"] == alerts.get(at, "")
            if metric is None:
                assert (row["status"], row["vtr"], row["counted"], row["policy"]) == ("ok", "", "0", "")
                continue
            live, official = metric.live, metric.official
            assert (row["status"], row["policy"]) == (metric.status, metric.policy)
            assert [row["vtr"], row["official_vtr"]] == [
                "" if rate is None else str(rate) for rate in (live.vtr, official.vtr)
            ]
            assert (float(row["threshold"]), float(row["warn_level"])) == (metric.threshold, 0.97)
            numbers = {name: int(row[name]) for name in ("counted", "valid", "defects", "pending", "exempt")}
            assert numbers == {name: getattr(live, name) for name in numbers}
            assert (int(row["official_counted"]), int(row["official_valid"])) == (official.counted, official.valid)
            ahead = (int(row["allowance"]), int(row["needed_to_recover"]))
            assert ahead == (metric.allowance, metric.needed_to_recover)


def test_any_order_gives_the_same_bytes(file: str, whole: Replay, tmp_path: Path) -> None:
    lines = Path(file).read_bytes().splitlines()
    random.Random(7).shuffle(lines)  # noqa: S311 - an order, not a secret
    shuffled = written(tmp_path / "shuffled.ndjson", lines)
    scope = scopes(whole)[0]
    assert csv_bytes(series_of(shuffled, scope)) == csv_bytes(series_of(file, scope))


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (Scope("C"), "there is no seller C in {file}"),
        (Scope("a"), "there is no seller a in {file}; did you mean A?"),
        (Scope("A", "FR"), "there is no A FR in {file}; there is A DE Home"),
        (Scope("A", "DE", "Toys"), "there is no A DE Toys in {file}; there is A DE Home"),
    ],
)
def test_what_is_not_there_is_one_line(tmp_path: Path, scope: Scope, said: str) -> None:
    file = written(tmp_path / "gap.ndjson", with_gap())
    with pytest.raises(NotFoundError) as error:
        series_of(file, scope)
    assert str(error.value) == said.format(file=file)

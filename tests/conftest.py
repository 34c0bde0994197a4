"""Brokers for tests: ``VTR_TEST_BROKER=auto|kafka|embedded|both``, see :mod:`tests.brokers`.

A test that asks for the fixture ``broker`` is marked ``broker``, so ``-m "not broker"`` selects the fast ones. One
that needs what only Apache Kafka does is marked ``kafka_only(reason=...)``, and is skipped on the embedded broker.
"""

import itertools
import os
import secrets
from collections import Counter
from collections.abc import Iterator

import pytest
from xdist.workermanage import WorkerController

from stream.engine import IS_COMPILED
from tests.brokers import Broker, Choice, ChoiceError, Kind, choose, names, running, wanted
from tests.compiled import stale_modules

# Before anybody imports them, for only then are their assertions explained.
pytest.register_assert_rewrite(
    "tests.chaos.checks", "tests.worker.deployment", "tests.worker.process", "tests.worker.expected"
)

_CHOICE = pytest.StashKey[Choice]()
_PROPERTY = "broker"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A running broker that the tests of a run share: name topics and groups with ``prefix``."""
    kind: Kind = getattr(request, "param", None) or request.config.stash[_CHOICE].kinds[0]
    with running(kind) as it:
        yield it


@pytest.fixture
def prefix() -> str:
    """The start of the names of a test's topics and groups, which no other test has."""
    return f"t{next(_numbers)}-{secrets.token_hex(4)}-"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "broker: needs a running broker (added to what uses the fixture `broker`)")
    config.addinivalue_line("markers", "kafka_only(reason): needs what the embedded broker does not do")
    if stale := stale_modules():
        raise pytest.UsageError(
            f"compiled before their source was last changed: {', '.join(stale)}; "
            "compile again with `python .build/compile.py`, or `--clean` them away"
        )
    try:
        wanted(os.environ)
    except ChoiceError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header() -> str:
    return f"engine: {'compiled' if IS_COMPILED else 'not compiled'}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "broker" in metafunc.fixturenames and wanted(os.environ) == "both":
        metafunc.parametrize("broker", ["kafka", "embedded"], indirect=True, scope="session")


def pytest_itemcollected(item: pytest.Item) -> None:
    if "broker" in getattr(item, "fixturenames", ()) or item.get_closest_marker("kafka_only"):
        item.add_marker("broker")


def pytest_collection_finish(session: pytest.Session) -> None:
    # Only now is it known which tests were selected, and where none needs a broker nothing is to be downloaded.
    items = [item for item in session.items if item.get_closest_marker("broker")]
    if not items or session.config.option.collectonly:
        return
    in_parallel: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    try:
        choice = session.config.stash[_CHOICE] = choose(os.environ)
    except ChoiceError as error:
        if in_parallel is None:
            raise pytest.UsageError(str(error)) from None
        session.shouldfail = str(error)  # all that xdist passes on
        return
    if in_parallel is not None:
        in_parallel[_PROPERTY] = (choice.kinds, choice.why_not_kafka)
    for item in items:
        kind = _kind(item, choice)
        item.user_properties.append((_PROPERTY, kind))
        kafka_only = item.get_closest_marker("kafka_only")
        if kafka_only is not None and kind == "embedded":
            item.add_marker(pytest.mark.skip(reason=f"Apache Kafka only: {kafka_only.kwargs['reason']}"))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Of several processes, each chose for itself, and all the same."""
    chosen = getattr(node, "workeroutput", {}).get(_PROPERTY)
    if chosen is not None:
        node.config.stash[_CHOICE] = Choice(*chosen)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    choice = config.stash.get(_CHOICE, None)
    if choice is None:
        return
    ran: dict[Kind, set[str]] = {kind: set() for kind in names()}
    skipped: Counter[tuple[Kind, str]] = Counter()
    for outcome in ("passed", "failed", "error", "xfailed", "xpassed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            kind: Kind | None = dict(report.user_properties).get(_PROPERTY)
            if kind is None:
                continue
            if outcome == "skipped":
                skipped[kind, str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
            else:
                ran[kind].add(report.nodeid)
    terminalreporter.section("brokers")
    counts = "; ".join(f"{name}: {_tests(len(ran[kind]))}" for kind, name in names().items())
    terminalreporter.line(f"brokers: {counts}")
    if choice.why_not_kafka is not None:
        terminalreporter.line(f"Apache Kafka was not used: {choice.why_not_kafka}")
    for (kind, reason), count in sorted(skipped.items()):
        terminalreporter.line(f"skipped on {names()[kind]}: {_tests(count)}: {reason}")


def _kind(item: pytest.Item, choice: Choice) -> Kind:
    callspec = getattr(item, "callspec", None)
    kind: Kind | None = None if callspec is None else callspec.params.get("broker")
    return kind or choice.kinds[0]


def _tests(count: int) -> str:
    return f"{count} test{'' if count == 1 else 's'}"

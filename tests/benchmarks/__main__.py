"""Measures this product on this machine, beside the same job in other frameworks and beside its limits.

    python -m tests.benchmarks [--only NAME…] [--out tests/benchmarks/results/DATE.md] [--help]

Linux only. On Apache Kafka where it can be had, else on the embedded broker, and the report says which. What is
compared is measured in the same run, in turn, several rounds each: the ratios hold where the machine's speed does not.
"""

import argparse
import logging
import os
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from tests.benchmarks import backlog, growth, large, latency, memory, replay, restore, rules, scaling, topics
from tests.benchmarks.bench import Bench, Options
from tests.benchmarks.conditions import conditions
from tests.benchmarks.process import BenchmarkError
from tests.benchmarks.report import Report
from tests.brokers import Broker, choose, names, running

MEASUREMENTS = {
    "replay": replay.run,
    "rules": rules.run,
    "topics": topics.run,
    "backlog": backlog.run,
    "latency": latency.run,
    "restore": restore.run,
    "memory": memory.run,
    "large": large.run,
    "growth": growth.run,
    "scaling": scaling.run,
}

_HELP = {
    "events": "events of our own subjects",
    "faust_events": "events of plain Faust, which is slow; events/s are compared",
    "quix_events": "events of Quix Streams; best a multiple of its 10,000 per checkpoint",
    "rounds": "times that each subject is measured",
    "sellers": "sellers of the history",
    "partitions": "partitions of each topic",
    "rate": "events per second of the latency's feed",
    "seconds": "seconds of that feed",
}


def main() -> None:
    """Run the measurements; each prints a section of the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0])
    for name, default in Options()._asdict().items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default, help=f"{_HELP[name]} [{default:,}]")
    parser.add_argument("--only", choices=MEASUREMENTS, nargs="+", default=list(MEASUREMENTS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="Markdown file to write the report to")
    # It speaks of what it finds out by itself a moment later, such as who leads a new topic.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    arguments = vars(parser.parse_args())
    only, out = arguments.pop("only"), arguments.pop("out")
    options, report = Options(**arguments), Report()

    kind = choose(os.environ).kinds[0]
    report.say("# Benchmarks")
    chosen = [[name.replace("_", " "), f"{value:,}"] for name, value in options._asdict().items()]
    report.table(["condition", ""], [*conditions(), ["broker", names()[kind]], *chosen])
    report.say("Histories are of 35 days and without scans, which only our own worker would read.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vtr-benchmark-")))

        @cache
        def broker() -> Broker:
            return stack.enter_context(running(kind))

        bench = Bench(options, report, folder, broker)
        for name in only:
            try:
                MEASUREMENTS[name](bench)
            except BenchmarkError as error:
                report.say(f"**{name} was not measured**: {error}")
            if out is not None:
                report.save(out)


if __name__ == "__main__":
    main()

"""The ``vtr`` command. Each subcommand is a module of its own name; what fails is one line on stderr."""

import errno
import os
import sys
from typing import NoReturn

import click

from stream.cli.dead_letters import dead_letters
from stream.cli.demo import demo
from stream.cli.explain import explain
from stream.cli.imports import import_
from stream.cli.options import CommandError
from stream.cli.plot import plot
from stream.cli.policy import policy
from stream.cli.rebuild import rebuild
from stream.cli.reconcile import reconcile
from stream.cli.replay import replay
from stream.cli.report import report
from stream.cli.run import run
from stream.cli.simulate import simulate
from stream.cli.topics import topics
from stream.cli.watch import alerts, metrics
from stream.cli.what_if import what_if
from stream.demo import ChildFailedError
from stream.embedded import EmbeddedBrokerError
from stream.engine import IS_COMPILED
from stream.imports import ImportFailedError
from stream.kafka.clients import BrokerError
from stream.replay import ReplayError
from stream.settings import SettingsError

FAILED = 1
USAGE = 2
INTERRUPTED = 130
"""What shells give a command that Ctrl-C ended: 128 + SIGINT."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_FAILURES = (
    CommandError,
    SettingsError,
    BrokerError,
    ReplayError,
    ImportFailedError,
    EmbeddedBrokerError,
    ChildFailedError,
)
"""What a command fails with, each with a message that is one line."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Settings come from flags, then VTR_* environment variables, then a TOML file (--config). "
    "Start with `vtr demo`.",
)
@click.version_option(
    package_name="vtr-stream",
    prog_name="vtr",
    message=f"%(prog)s %(version)s ({'compiled' if IS_COMPILED else 'not compiled'})",
)
def cli() -> None:
    """Live Valid Tracking Rate (VTR) for marketplace sellers, on Kafka.

    Events of shipped orders and uploaded tracking numbers go in; the VTR of every seller, marketplace and category
    comes out live, and an alert when one falls below its threshold.
    """


_COMMANDS = (
    demo,
    run,
    topics,
    simulate,
    import_,
    replay,
    rebuild,
    what_if,
    plot,
    explain,
    report,
    reconcile,
    alerts,
    metrics,
    dead_letters,
    policy,
)
for command in _COMMANDS:
    cli.add_command(command)


def main() -> NoReturn:
    """The entry point: runs a command and ends the process with its exit code."""
    try:
        sys.exit(cli.main(prog_name="vtr", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "vtr"
        _fail(f"{_one_line(error.format_message())} (see `{command} --help`)", USAGE)
    except click.ClickException as error:
        _fail(_one_line(error.format_message()), FAILED)
    except _FAILURES as error:
        _fail(str(error), FAILED)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe has seen enough.
        _end_output()
        sys.exit(FAILED)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        # Files that commands open are named by what opened them.
        _end_output()
        _fail(f"cannot write standard output: {error.strerror}", FAILED)


def _end_output() -> None:
    """What Python would flush at exit has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"vtr: {message}", err=True)
    sys.exit(code)


def _one_line(message: str) -> str:
    return " ".join(message.split())

"""Command-line options that are settings, made from the settings' own definitions."""

import functools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
import msgspec
from msgspec import inspect

from stream.kafka.cluster import bootstrap_servers
from stream.settings import ENV_PREFIX, Settings, load_settings

P = ParamSpec("P")
R = TypeVar("R")


class CommandError(Exception):
    """A command cannot do what was asked. The message is one line."""


def settings_options(*names: str) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[P, R]]:
    """Give a command the flags of these settings, and ``--config``; it gets the loaded settings as first argument."""

    def decorate(function: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def with_settings(*args: P.args, **kwargs: P.kwargs) -> R:
            flags = {name: kwargs.pop(name) for name in names}
            file = kwargs.pop("config")
            settings = load_settings(flags, file=Path(str(file)) if file else None)
            return function(settings, *args, **kwargs)

        decorated: Callable[P, R] = with_settings
        decorated = click.option(
            "--config",
            envvar=f"{ENV_PREFIX}CONFIG",
            type=click.Path(dir_okay=False),
            help="TOML file with settings.",
        )(decorated)
        for name in reversed(names):
            decorated = _option(name)(decorated)
        return decorated

    return decorate


def _option(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    (field,) = (field for field in msgspec.structs.fields(Settings) if field.name == name)
    metadata = inspect.type_info(field.type)
    description = ""
    if isinstance(metadata, inspect.Metadata) and metadata.extra_json_schema:
        description = str(metadata.extra_json_schema.get("description", ""))
        metadata = metadata.type
    types = metadata.types if isinstance(metadata, inspect.UnionType) else (metadata,)
    choices = next(([str(each) for each in kind.values] for kind in types if isinstance(kind, inspect.LiteralType)), [])
    default = "" if field.default is None else f"  [default: {field.default}]"
    return click.option(
        f"--{name.replace('_', '-')}",
        *_SHORTER.get(name, ()),
        name,
        type=click.Choice(choices) if choices else None,
        metavar="|".join(choices) if choices else _METAVARS.get(name, "VALUE"),
        help=f"{description[:1].upper()}{description[1:]}{default}",
    )


_SHORTER = {"policy_file": ("--policy",), "rates_file": ("--rates",)}


_METAVARS = {
    "broker": "URL",
    "ssl_ca_file": "FILE",
    "ssl_cert_file": "FILE",
    "ssl_key_file": "FILE",
    "sasl_username": "NAME",
    "group": "NAME",
    "data_dir": "FOLDER",
    "policy_file": "FILE",
    "rates_file": "FILE",
    "web_host": "ADDRESS",
    "web_port": "PORT",
    "web_url": "URL",
    "metrics_sellers": "SELLERS",
} | {name: "TOPIC" for name in msgspec.structs.asdict(Settings()) if name.endswith("_topic")}


class BrokerUrl(click.ParamType):
    """``kafka://host:port``."""

    name = "URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same."""
        try:
            bootstrap_servers(value)
        except ValueError as error:
            self.fail(str(error).partition(" - ")[0], param, ctx)
        return value


class Instant(click.ParamType):
    """An ISO 8601 instant; without an offset it is UTC."""

    name = "TIME"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-01T12:00:00Z", param, ctx)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


class Day(click.ParamType):
    """A day of the calendar, such as ``2026-11-01``."""

    name = "DATE"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day such as 2026-11-01", param, ctx)


def check_order(since: datetime | None, until: datetime | None) -> None:
    """Raises :class:`click.UsageError` where no time is both."""
    if since and until and since >= until:
        raise click.UsageError("--until is not after --since")


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Size(click.ParamType):
    """An amount of memory such as ``500MB`` or ``2GiB``."""

    name = "SIZE"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]i?B)", value)
        size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
        if size <= 0:
            self.fail(f"{value!r} is not a size such as 500MB or 2GiB", param, ctx)
        return size


processes_option = click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="How many share the sellers between them; the result is the same.  [default: one for each core]",
)

memory_option = click.option(
    "--memory",
    type=Size(),
    help="For sorting; more events than fit are sorted on disk (in TMPDIR, else /var/tmp). The shipments of the last "
    "weeks come on top.  [default: half of what is available]",
)

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType):
    """A duration such as ``60s``, ``5m``, ``2h``, ``30d``; a bare number is seconds."""

    name = "DURATION"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The duration."""
        if isinstance(value, timedelta):
            return value
        number, unit = (value[:-1], value[-1]) if value[-1:] in _SECONDS else (value, "s")
        try:
            duration = timedelta(seconds=float(number) * _SECONDS[unit])
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a duration such as 60s, 5m or 30d", param, ctx)
        if duration <= timedelta(0):
            self.fail(f"{value!r} is not longer than nothing", param, ctx)
        return duration

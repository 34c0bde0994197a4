"""Settings: command-line flags, then ``VTR_*`` environment variables, then a TOML file, then the defaults here.

One field here is one flag (``--min-counted``), one variable (``VTR_MIN_COUNTED``) and one TOML key (``min_counted``).
"""

import os
import socket
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from stream.kafka.cluster import Cluster, FilePath, address
from stream.monitoring.sellers import SellerChoice
from stream.settings_error import SettingsError

__all__ = ["ENV_PREFIX", "REPLAY_SETTINGS", "GraceHours", "Settings", "SettingsError", "load_settings"]

ENV_PREFIX = "VTR_"

REPLAY_SETTINGS = (
    "policy_file",
    "rates_file",
    "valid_when",
    "threshold",
    "at_threshold",
    "warn_level",
    "recover_margin",
    "min_counted",
    "grace_hours",
    "lag_days",
)
"""The settings that results hang on, a replay's as a worker's."""

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Level = Annotated[Decimal, Meta(description="a share from 0 to 1")]
GraceHours = Annotated[int, Meta(ge=0, le=24 * 28)]
"""Grace ends inside the live window of 30 days, or what it is for would never count."""
TopicName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{1,200}\Z")]


class Settings(Cluster, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. The descriptions are the help texts of the flags."""

    group: Annotated[
        str,
        Meta(pattern=r"^[a-zA-Z0-9._-]{1,100}\Z", description="consumer group; also the prefix of the changelog topic"),
    ] = "vtr"
    order_shipped_topic: Annotated[TopicName, Meta(description="input topic")] = "order-shipped"
    tracking_uploaded_topic: Annotated[TopicName, Meta(description="input topic")] = "tracking-uploaded"
    tracking_scanned_topic: Annotated[
        str, Meta(pattern=r"^[a-zA-Z0-9._-]{0,200}\Z", description="optional input topic; empty for none")
    ] = "tracking-scanned"
    metrics_topic: Annotated[TopicName, Meta(description="output topic, compacted: the latest VTR of every scope")] = (
        "vtr-metrics"
    )
    alerts_topic: Annotated[TopicName, Meta(description="output topic: changes of status")] = "vtr-alerts"
    dead_letters_topic: Annotated[TopicName, Meta(description="output topic: what could not be used, and why")] = (
        "vtr-dead-letters"
    )
    partitions: Annotated[
        int, Meta(ge=1, le=10_000, description="partitions of each topic that `vtr topics create` declares")
    ] = 4
    replication: Annotated[
        int, Meta(ge=1, le=10, description="replicas of each topic that `vtr topics create` declares")
    ] = 1

    store: Annotated[Literal["memory", "rocksdb"], Meta(description="where shipments are kept between batches")] = (
        "memory"
    )
    data_dir: Annotated[str, Meta(min_length=1, description="folder of the RocksDB store")] = "vtr-data"

    policy_file: Annotated[FilePath | None, Meta(description="TOML file with rules that go over the product's own")] = (
        None
    )
    rates_file: Annotated[
        FilePath | None, Meta(description="CSV file with reference rates, in place of the product's own")
    ] = None
    valid_when: Annotated[
        Literal["tracking", "scan"] | None,
        Meta(description="whether a tracking number is enough or needs scans, in place of the rules' own"),
    ] = None
    threshold: Annotated[
        Level | None, Meta(description="below this VTR a scope is breached, in place of the rules' own")
    ] = None
    at_threshold: Annotated[Literal["pass", "fail"], Meta(description="what a VTR exactly on the threshold means")] = (
        "pass"
    )
    warn_level: Annotated[Level, Meta(description="below this VTR a scope is at risk")] = Decimal("0.97")
    recover_margin: Annotated[
        Level, Meta(description="how far above the level it fell below a VTR must rise to improve its status")
    ] = Decimal("0.005")
    min_counted: Annotated[
        int, Meta(ge=0, le=1_000_000, description="below this many counted shipments the status stays what it was")
    ] = 20
    grace_hours: Annotated[
        GraceHours | None,
        Meta(description="hours a shipment may lack tracking before it is a defect, in place of the rules' own"),
    ] = None
    lag_days: Annotated[
        int, Meta(ge=0, le=60, description="days between the end of the marketplace's own window and today")
    ] = 10

    metrics_interval: Annotated[Seconds, Meta(description="at most one metric per scope in this many seconds")] = 1.0
    idle_after: Annotated[
        Seconds,
        Meta(description="seconds without records after which a topic read to its end no longer holds time back"),
    ] = 5.0
    batch_size: Annotated[
        int, Meta(ge=1, le=100_000, description="most records per batch; a larger one blocks the event loop longer")
    ] = 4000
    reject_ratio: Annotated[
        Level,
        Meta(description="the worker stops when more than this share of the last `reject_run` events is rejected"),
    ] = Decimal("0.9")
    reject_run: Annotated[int, Meta(ge=1, description="events over which `reject_ratio` is measured")] = 10_000

    session_timeout: Annotated[
        Seconds, Meta(description="seconds without a heartbeat after which a worker's partitions go to others")
    ] = 30.0
    rebalance_timeout: Annotated[
        Seconds, Meta(description="seconds the workers have to finish their batches when partitions are dealt anew")
    ] = 60.0
    web_host: Annotated[str, Meta(min_length=1, description="address the worker's web server binds to")] = "127.0.0.1"
    web_port: Annotated[int, Meta(ge=0, le=65_535, description="its port; 0 for no web server")] = 6066
    web_url: Annotated[
        str | None,
        Meta(
            description="where the group's other workers reach that server, as http://host:port; by default at "
            "`web_host` and `web_port`, or by the machine's name where `web_host` means all addresses",
        ),
    ] = None
    api_token: Annotated[
        Annotated[str, Meta(pattern=r"^[!-~]{16,512}\Z")] | None,
        Meta(description="what requests to the HTTP API must carry: 16 to 512 ASCII characters without spaces"),
    ] = None
    metrics_sellers: Annotated[
        str | None,
        Meta(
            description="sellers with series of their own in `/metrics`: up to 100 ids with commas between, or "
            "`worst:N` for those with the lowest VTR of each worker",
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least severe log lines to show")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "text", "json"],
        Meta(description="the log's form; auto is text on a terminal and JSON elsewhere"),
    ] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("threshold", "warn_level", "recover_margin", "reject_ratio"):
            share: Decimal | None = getattr(self, name)
            if share is None:
                continue
            if not share.is_finite() or not 0 <= share <= 1:
                raise ValueError(f"Expected a share from 0 to 1, got {share} - at `$.{name}`")
        if self.web_url is not None and not _is_web_url(self.web_url):
            raise ValueError(f"Expected http://host:port, got {self.web_url!r} - at `$.web_url`")
        try:
            SellerChoice.parse(self.metrics_sellers or "")
        except ValueError as error:
            raise ValueError(f"{error} - at `$.metrics_sellers`") from None
        if self.threshold is not None and self.warn_level < self.threshold:
            raise ValueError(
                f"Expected at least the threshold {self.threshold}, got {self.warn_level} - at `$.warn_level`"
            )

    @property
    def input_topics(self) -> tuple[str, ...]:
        """The topics events are read from."""
        return tuple(self.topics_by_type.values())

    @property
    def topics_by_type(self) -> dict[str, str]:
        """The input topic of each type of events that has one."""
        topics = {
            "order-shipped": self.order_shipped_topic,
            "tracking-uploaded": self.tracking_uploaded_topic,
            "tracking-scanned": self.tracking_scanned_topic,
        }
        return {kind: topic for kind, topic in topics.items() if topic}

    @property
    def changelog_topic(self) -> str:
        """The topic the shipments table is restored from."""
        return f"{self.group}-shipments-changelog"

    @property
    def own_web_url(self) -> str:
        """Where other workers reach this one's web server."""
        if self.web_url is not None:
            return self.web_url.rstrip("/")
        host = socket.gethostname() if self.web_host in ("0.0.0.0", "::", "") else self.web_host  # noqa: S104
        return f"http://{address(host, self.web_port)}"


def _is_web_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        named = url.hostname and url.port != 0 and not url.username
    except ValueError:
        return False
    return bool(named) and url.scheme in ("http", "https") and not (url.path.strip("/") or url.query or url.fragment)


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from ``flags`` (None values are not given), the environment and a TOML file.

    Raises :class:`SettingsError`, one line that names the setting and where it came from.
    """
    sources: dict[str, Mapping[str, object]] = {}
    if file is not None:
        sources[f"settings file {file}"] = _read(file)
    environ = os.environ if environ is None else environ
    names = [field.encode_name for field in msgspec.structs.fields(Settings)]
    sources["environment"] = {
        name: environ[variable] for name in names if (variable := ENV_PREFIX + name.upper()) in environ
    }
    sources["settings"] = {name: value for name, value in (flags or {}).items() if value is not None}
    merged: dict[str, object] = {}
    for values in sources.values():
        merged |= values
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        message = str(error).replace("`$.", "`")
        # The last source that has the setting is the one whose value counted.
        named = [where for where, values in sources.items() if any(f"`{name}`" in message for name in values)]
        raise SettingsError(f"{named[-1] if named else 'settings'}: {message}") from None


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise SettingsError(f"cannot read settings file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {file}: {error}") from None

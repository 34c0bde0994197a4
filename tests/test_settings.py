"""Settings: which source wins, and what is said of a wrong value."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from stream.kafka.cluster import bootstrap_servers
from stream.settings import Settings, SettingsError, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vtr.toml"


def load(
    flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    return load_settings(flags, file=file, environ=environ or {})


def error(
    flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> str:
    with pytest.raises(SettingsError) as caught:
        load(flags, environ, file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- Which source wins -----------------------------------------------------------------------------------------------


def test_without_any_source_the_defaults_hold() -> None:
    assert load() == Settings()


@pytest.mark.parametrize(
    ("flag", "variable", "in_file", "expected"),
    [
        (None, None, None, 20),
        (None, None, 1, 1),
        (None, "2", None, 2),
        (None, "2", 1, 2),
        (3, None, 1, 3),
        (3, "2", 1, 3),
        (0, "2", 1, 0),
    ],
)
def test_flags_then_environment_then_file(
    file: Path, flag: int | None, variable: str | None, in_file: int | None, expected: int
) -> None:
    file.write_text("" if in_file is None else f"min_counted = {in_file}\n")
    environ = {} if variable is None else {"VTR_MIN_COUNTED": variable}
    assert load({"min_counted": flag}, environ, file).min_counted == expected


def test_each_setting_comes_from_its_own_source(file: Path) -> None:
    file.write_text('threshold = 0.9\nmetrics_interval = 0.5\ngroup = "file"\n')
    environ = {"VTR_RECOVER_MARGIN": "0.01", "VTR_GROUP": "environment", "VTR_UNKNOWN": "x", "GRACE_HOURS": "1"}
    settings = load({"store": "rocksdb"}, environ, file)
    assert settings == Settings(
        threshold=Decimal("0.9"),
        metrics_interval=0.5,
        group="environment",
        recover_margin=Decimal("0.01"),
        store="rocksdb",
    )


def test_shares_are_exact_from_every_source(file: Path) -> None:
    file.write_text("threshold = 0.95\n")
    assert load(file=file).threshold == Decimal("0.95")
    assert load(environ={"VTR_THRESHOLD": "0.95"}).threshold == Decimal("0.95")
    assert load({"threshold": "0.95"}).threshold == Decimal("0.95")


def test_sources_are_judged_together(file: Path) -> None:
    # Neither of the two is valid beside the other's default.
    file.write_text("warn_level = 0.9\n")
    assert load(environ={"VTR_THRESHOLD": "0.85"}, file=file).warn_level == Decimal("0.9")


def test_topics() -> None:
    assert Settings().input_topics == ("order-shipped", "tracking-uploaded", "tracking-scanned")
    assert Settings(tracking_scanned_topic="").input_topics == ("order-shipped", "tracking-uploaded")
    assert Settings(group="shop").changelog_topic == "shop-shipments-changelog"


# --- Wrong values ----------------------------------------------------------------------------------------------------

WRONG = [
    ("threshold", "1.01"),
    ("threshold", "-0.01"),
    ("threshold", "nan"),
    ("threshold", "x"),
    ("warn_level", "1.5"),
    ("valid_when", "scans"),
    ("grace_hours", "673"),
    ("policy_file", ""),
    ("warn_level", "Infinity"),
    ("min_counted", "-1"),
    ("min_counted", "2.5"),
    ("store", "redis"),
    ("store", "a\nb"),
    ("at_threshold", ""),
    ("web_port", "65536"),
    ("batch_size", "0"),
    ("metrics_interval", "0"),
    ("idle_after", "nan"),
    ("group", ""),
    ("group", "a b"),
    ("group", "vtr\n"),
    ("alerts_topic", "a/b"),
    ("alerts_topic", "a\n"),
    ("broker", "http://a:9092"),
    ("log_level", "INFO"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_named_with_its_source(file: Path, name: str, value: str) -> None:
    assert error({name: value}).startswith("settings: ")
    assert f"`{name}`" in error({name: value})
    message = error(environ={f"VTR_{name.upper()}": value})
    assert message.startswith("environment: ")
    assert f"`{name}`" in message
    escaped = value.replace("\n", "\\n")
    file.write_text(f'{name} = "{escaped}"\n')
    message = error(file=file)
    assert message.startswith(f"settings file {file}: ")
    assert f"`{name}`" in message


def test_the_warn_level_is_not_below_a_threshold_that_is_set() -> None:
    assert "`warn_level`" in error({"threshold": "0.95", "warn_level": "0.94"})
    assert load({"warn_level": "0.94"}).threshold is None


def test_an_unknown_setting_is_named_with_its_source(file: Path) -> None:
    file.write_text("treshold = 0.9\n")
    assert error(file=file) == f"settings file {file}: Object contains unknown field `treshold`"
    assert error({"treshold": "0.9"}) == "settings: Object contains unknown field `treshold`"


@pytest.mark.parametrize("text", [b"threshold = ", b"= 1", b"a = 1\na = 2", b"group = '\xff'"])
def test_a_file_that_is_no_toml(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    assert error(file=file).startswith(f"settings file {file}: ")


def test_a_file_that_cannot_be_read(file: Path) -> None:
    assert error(file=file) == f"cannot read settings file {file}: No such file or directory"


# --- Brokers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "servers"),
    [
        ("kafka://a:1", ["a:1"]),
        ("kafka://a", ["a:9092"]),
        ("a:1", ["a:1"]),
        ("kafka://a:1,b", ["a:1", "b:9092"]),
        ("kafka://a:1, b:2 ,c", ["a:1", "b:2", "c:9092"]),
        ("kafka://127.0.0.1:1", ["127.0.0.1:1"]),
        ("kafka://[::1]:1", ["[::1]:1"]),
        ("kafka://[::1],[fe80::1]:2", ["[::1]:9092", "[fe80::1]:2"]),
        ("a:1,kafka://b:2", None),
        ("kafka://a:1,kafka://b:2", None),
        ("kafka://a:1;b:2", None),
        ("kafka://", None),
        ("kafka://a,", None),
        ("kafka://:9092", None),
        ("kafka://a:b", None),
        ("kafka://a:0", None),
        ("kafka://a:65536", None),
        ("kafka://::1", None),
        ("kafka://[::1", None),
        ("amqp://a", None),
        ("", None),
    ],
)
def test_bootstrap_servers(address: str, servers: list[str] | None) -> None:
    if servers is None:
        assert error({"broker": address}) == f"settings: Expected kafka://host:port, got {address!r} - at `broker`"
    else:
        assert bootstrap_servers(load({"broker": address}).broker) == servers

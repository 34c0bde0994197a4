"""Settings of TLS and logins: what contradicts itself is said before anything connects, and passwords are not."""

import io
import logging
import pickle
import re
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from aiokafka.protocol.admin import SaslAuthenticateRequest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from msgspec.structs import asdict, replace
from rich.console import Console

from stream.cli import cli
from stream.kafka.cluster import CLUSTER_SETTINGS, SECRETS, Cluster
from stream.settings import Settings, SettingsError, load_settings
from stream.subscribe import subscribe_alerts
from stream.worker.app import credentials
from tests.command import vtr
from tests.security.certificates import KEY_PASSWORD, Certificates
from tests.test_readme import every_command, section

PASSWORD = "open-sesame"  # noqa: S105
LOGIN = {
    "security_protocol": "sasl_ssl",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "vtr",
    "sasl_password": PASSWORD,
}


def problem(given: dict[str, str]) -> str:
    """What is said of these settings, wherever they come from, without the source."""
    said = []
    variables = {f"VTR_{name.upper()}": value for name, value in given.items()}
    for flags, environ in ((given, {}), ({}, variables)):
        with pytest.raises(SettingsError) as caught:
            load_settings(flags, environ=environ)
        assert PASSWORD not in str(caught.value)
        assert "\n" not in str(caught.value)
        said.append(str(caught.value).partition(": ")[2])
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"security_protocol": "SSL"},
            "Invalid enum value 'SSL' - at `security_protocol`",
        ),
        (
            LOGIN | {"sasl_mechanism": "GSSAPI"},
            "Invalid enum value 'GSSAPI' - at `sasl_mechanism`",
        ),
        (
            LOGIN | {"security_protocol": "ssl"},
            "`sasl_mechanism` needs `security_protocol` sasl_ssl or sasl_plaintext, and it is ssl",
        ),
        (
            {"sasl_username": "vtr"},
            "`sasl_username` needs `security_protocol` sasl_ssl or sasl_plaintext, and it is plaintext",
        ),
        (
            {"sasl_password": PASSWORD},
            "`sasl_password` needs `security_protocol` sasl_ssl or sasl_plaintext, and it is plaintext",
        ),
        (
            {"ssl_ca_file": "ca.pem"},
            "`ssl_ca_file` needs `security_protocol` ssl or sasl_ssl, and it is plaintext",
        ),
        (
            LOGIN | {"security_protocol": "sasl_plaintext", "ssl_cert_file": "a.pem", "ssl_key_file": "a.key"},
            "`ssl_cert_file` needs `security_protocol` ssl or sasl_ssl, and it is sasl_plaintext",
        ),
        (
            {"security_protocol": "ssl", "ssl_cert_file": "a.pem"},
            "`ssl_cert_file` needs `ssl_key_file`, and it is not set",
        ),
        (
            {"security_protocol": "ssl", "ssl_key_file": "a.key"},
            "`ssl_key_file` needs `ssl_cert_file`, and it is not set",
        ),
        (
            {"security_protocol": "ssl", "ssl_key_password": PASSWORD},
            "`ssl_key_password` needs `ssl_key_file`, and it is not set",
        ),
        (
            {"security_protocol": "ssl", "ssl_ca_file": ""},
            "Expected `str` of length >= 1 - at `ssl_ca_file`",
        ),
        (
            {"broker": f"kafka://vtr:{PASSWORD}@a:9092"},
            "Expected kafka://host:port without a user, whose place is `sasl_username` - at `broker`",
        ),
    ],
)
def test_what_contradicts_itself_is_named(given: dict[str, str], said: str) -> None:
    assert problem(given) == said


@pytest.mark.parametrize("missing", ["sasl_mechanism", "sasl_username", "sasl_password"])
@pytest.mark.parametrize("protocol", ["sasl_ssl", "sasl_plaintext"])
def test_a_login_has_all_that_it_needs(protocol: str, missing: str) -> None:
    given = LOGIN | {"security_protocol": protocol}
    assert load_settings(given, environ={}).uses_sasl
    assert problem({name: value for name, value in given.items() if name != missing}) == (
        f"`security_protocol` {protocol} needs `{missing}`, and it is not set"
    )


def test_a_contradiction_is_one_line_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTR_SASL_PASSWORD", PASSWORD)
    done = vtr("topics", "check", "--security-protocol", "sasl_ssl", "--sasl-username", "vtr")
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "vtr: settings: `security_protocol` sasl_ssl needs `sasl_mechanism`, and it is not set\n",
    )


def test_the_readme_s_file_works_with_the_password_as_variable(tmp_path: Path) -> None:
    part = section("Run it on your own Kafka").partition("### A Kafka with TLS and logins")[2]
    (text,) = re.findall(r"^```toml\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    file = tmp_path / "vtr.toml"
    file.write_text(text, encoding="utf-8")
    settings = load_settings(file=file, environ={"VTR_SASL_PASSWORD": PASSWORD})
    assert (settings.uses_tls, settings.uses_sasl, len(settings.servers)) == (True, True, 2)
    with pytest.raises(SettingsError) as caught:
        load_settings(file=file, environ={})
    assert str(caught.value) == (
        f"settings file {file}: `security_protocol` sasl_ssl needs `sasl_password`, and it is not set"
    )


def test_another_file_for_another_kafka_needs_one() -> None:
    done = vtr("replay", "history.ndjson", "--into-config", "other.toml")
    assert (done.returncode, done.stderr.decode().splitlines()) == (
        2,
        ["vtr: --into-config needs --into (see `vtr replay --help`)"],
    )


@pytest.mark.parametrize("words", ["topics check --broker", "simulate --broker", "replay /dev/null --into"])
def test_a_password_in_an_address_is_refused_and_not_repeated(words: str) -> None:
    done = vtr(*words.split(), f"kafka://vtr:{PASSWORD}@a:9092")
    assert done.returncode in (1, 2)
    said = done.stderr.decode()
    assert "Expected kafka://host:port without a user, whose place is `sasl_username`" in said
    assert PASSWORD not in said
    assert said.count("\n") == 1


def test_in_python_wrong_words_are_errors_too() -> None:
    """There nothing checks types, and what is not known must not come to mean plain text."""
    for wrong in ({"security_protocol": "SASL_SSL"}, LOGIN | {"sasl_mechanism": "scram-sha-512"}):
        arguments: dict[str, Any] = wrong
        with pytest.raises(ValueError, match="Expected one of "):
            Cluster(**arguments)
    with pytest.raises(ValueError, match="`sasl_username`"):
        subscribe_alerts("kafka://user:word@a:1")


# --- Secrets ---------------------------------------------------------------------------------------------------------


def shown(value: object) -> str:
    """In all the ways that a value shows itself."""
    console = Console(file=io.StringIO(), width=10_000)
    console.print(value)
    console.file.seek(0)
    return f"{value} {value!r} {[value]} {console.file.read()}"


def test_passwords_are_not_shown() -> None:
    token = "t" * 16
    files = {"ssl_cert_file": "a.pem", "ssl_key_file": "a.key", "ssl_key_password": PASSWORD}
    settings = load_settings(LOGIN | files | {"api_token": token}, environ={})
    assert set(SECRETS) == {name for name in Settings.__struct_fields__ if "password" in name or "token" in name}
    cluster = Cluster(**{name: getattr(settings, name) for name in Cluster.__struct_fields__})
    for each in (settings, cluster):
        text = shown(each)
        assert PASSWORD not in text
        assert token not in text
        assert "sasl_password='***'" in text
        assert "a.key" in text
    assert "api_token=None" in shown(Settings())
    # What is shown is not what is kept.
    assert asdict(settings)["sasl_password"] == settings.sasl_password == PASSWORD
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301


def test_passwords_have_no_flag_and_no_place_in_help() -> None:
    flags = {flag for command in every_command(cli) for parameter in command.params for flag in parameter.opts}
    assert {f"--{name.replace('_', '-')}" for name in SECRETS} & flags == set()


def test_what_talks_to_kafka_has_the_flags() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in CLUSTER_SETTINGS}
    assert set(CLUSTER_SETTINGS) | SECRETS >= set(Cluster.__struct_fields__)
    for command in every_command(cli):
        own = {flag for parameter in command.params for flag in parameter.opts}
        if "--broker" in own:
            assert flags <= own, command.name


def test_help_shows_no_password_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOGIN.items():
        monkeypatch.setenv(f"VTR_{name.upper()}", value)
    for command in every_command(cli):
        assert PASSWORD not in command.get_help(click.Context(command))


def test_aiokafka_does_not_log_logins(caplog: pytest.LogCaptureFixture) -> None:
    load_settings({**LOGIN, "security_protocol": "sasl_plaintext"}, environ={}).client_options()
    request = SaslAuthenticateRequest(PASSWORD.encode()).prepare({36: (0, 1)})
    log = logging.getLogger("aiokafka.conn")
    with caplog.at_level(logging.DEBUG):
        log.debug("Request to %s:%d %d: %s", "a", 9092, 1, request)
        log.debug("Request to %s:%d %d: %s", "a", 9092, 2, "another")
    assert [record.getMessage() for record in caplog.records] == ["Request to a:9092 2: another"]
    assert PASSWORD in str(request), "so it would be in the log"


# --- Files -----------------------------------------------------------------------------------------------------------


def test_files_that_fit(certificates: Certificates) -> None:
    context = own(certificates).client_options()["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    own(certificates, ssl_key_file=str(certificates.locked_key), ssl_key_password=KEY_PASSWORD).client_options()
    # The system's own.
    assert Cluster(security_protocol="ssl").client_options()["ssl_context"].check_hostname


def own(certificates: Certificates, **changes: str) -> Cluster:
    cluster = Cluster(
        security_protocol="ssl",
        ssl_ca_file=str(certificates.ca),
        ssl_cert_file=str(certificates.client_cert),
        ssl_key_file=str(certificates.client_key),
    )
    return replace(cluster, **changes)


@pytest.mark.parametrize("setting", ["ssl_ca_file", "ssl_cert_file", "ssl_key_file"])
def test_files_that_cannot_be_used(certificates: Certificates, setting: str, tmp_path: Path) -> None:
    def said(file: Path) -> str:
        with pytest.raises(SettingsError) as caught:
            own(certificates, **{setting: str(file)}).client_options()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    kind = "private key" if setting == "ssl_key_file" else "certificate"
    marker = kind.upper()
    nothing, text, broken = tmp_path / "nothing.pem", tmp_path / "text.pem", tmp_path / "broken.pem"
    text.write_bytes(b"\xffnot PEM")
    broken.write_text(f"-----BEGIN {marker}-----\nAAAA\n-----END {marker}-----\n", encoding="utf-8")
    assert said(nothing) == f"cannot read `{setting}` {nothing}: No such file or directory"
    assert said(tmp_path) == f"cannot read `{setting}` {tmp_path}: Is a directory"
    assert said(text) == f"`{setting}` {text} is no PEM file with a {kind} in it"
    assert str(broken) in said(broken)
    assert "cannot be read" in said(broken)


def test_keys_that_do_not_fit(certificates: Certificates) -> None:
    wrong = {
        "is not the key of `ssl_cert_file`": {"ssl_key_file": str(certificates.strangers_key)},
        "is encrypted: set `ssl_key_password`": {"ssl_key_file": str(certificates.locked_key)},
        "`ssl_key_password` does not open": {
            "ssl_key_file": str(certificates.locked_key),
            "ssl_key_password": PASSWORD,
        },
    }
    for said, changes in wrong.items():
        with pytest.raises(SettingsError, match=said) as caught:
            own(certificates, **changes).client_options()
        assert changes["ssl_key_file"] in str(caught.value)
        assert PASSWORD not in str(caught.value)


# --- The worker ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
def test_faust_makes_its_clients_as_all_others_are_made(certificates: Certificates, protocol: str) -> None:
    given: dict[str, object] = {"security_protocol": protocol}
    given |= {"ssl_ca_file": str(certificates.ca)} if protocol.endswith("ssl") else {}
    given |= {name: value for name, value in LOGIN.items() if name.startswith("sasl") and protocol.startswith("sasl")}
    cluster = msgspec.convert(given, Cluster)
    options: dict[str, Any] = dict(cluster.client_options())
    faust = dict(credentials_to_aiokafka_auth(credentials(cluster)))
    assert (faust.pop("ssl_context", None) is not None) == (options.pop("ssl_context", None) is not None)
    del options["bootstrap_servers"]
    assert faust == options

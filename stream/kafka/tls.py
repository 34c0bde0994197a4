"""TLS from PEM files, with errors that name the setting and the file."""

import ssl
from pathlib import Path

from stream.settings_error import SettingsError

_CERTIFICATE = "CERTIFICATE-----"
_KEY = "PRIVATE KEY-----"


def tls_context(
    ca_file: str | None, cert_file: str | None, key_file: str | None, key_password: str | None
) -> ssl.SSLContext:
    """What clients connect with. Servers must prove who they are, by their host names too.

    Without ``ca_file`` the system's authorities are trusted. Raises :class:`SettingsError`, one line, where a file
    cannot be read or used.
    """
    if ca_file is not None:
        _require("ssl_ca_file", ca_file, _CERTIFICATE)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise SettingsError(f"`ssl_ca_file` {ca_file} has a certificate that cannot be read") from None
    if cert_file is not None and key_file is not None:
        _require("ssl_cert_file", cert_file, _CERTIFICATE)
        _require("ssl_key_file", key_file, _KEY)
        _load(context, cert_file, key_file, key_password)
    return context


def _require(setting: str, file: str, marker: str) -> None:
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read `{setting}` {file}: {error.strerror}") from None
    if marker.encode() not in text:
        raise SettingsError(f"`{setting}` {file} is no PEM file with a {marker.strip('-').lower()} in it")


def _load(context: ssl.SSLContext, cert_file: str, key_file: str, key_password: str | None) -> None:
    is_encrypted = False

    def password() -> str:
        # Given in any case: without, OpenSSL would ask on the terminal.
        nonlocal is_encrypted
        is_encrypted = True
        return key_password or ""

    try:
        context.load_cert_chain(cert_file, key_file, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"`ssl_key_file` {key_file} is not the key of `ssl_cert_file` {cert_file}"
        elif is_encrypted and key_password is None:
            problem = f"`ssl_key_file` {key_file} is encrypted: set `ssl_key_password`"
        elif is_encrypted:
            problem = f"`ssl_key_password` does not open `ssl_key_file` {key_file}"
        else:
            problem = f"`ssl_cert_file` {cert_file} or `ssl_key_file` {key_file} cannot be read"
        raise SettingsError(problem) from None

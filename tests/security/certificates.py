"""Certificates for tests, in files."""

from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives import serialization

from stream.embedded import HOST

KEY_PASSWORD: Final = "staple"  # noqa: S105


class Certificates:
    """Files of an authority, of what it signed for a broker at 127.0.0.1 and for a client, and of a stranger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority, stranger = trustme.CA(), trustme.CA()
        self.ca, self.strangers_ca = folder / "ca.pem", folder / "strangers-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        stranger.cert_pem.write_to_path(str(self.strangers_ca))
        self.broker_cert, self.broker_key = _pair(folder, "broker", authority.issue_cert(HOST))
        self.client_cert, self.client_key = _pair(folder, "client", authority.issue_cert("client.example"))
        self.strangers_cert, self.strangers_key = _pair(folder, "stranger", stranger.issue_cert("client.example"))
        self.locked_key = folder / "client-locked.key"
        self.locked_key.write_bytes(_pkcs8(self.client_key.read_bytes(), KEY_PASSWORD))


def _pair(folder: Path, name: str, certificate: trustme.LeafCert) -> tuple[Path, Path]:
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key_file.write_bytes(_pkcs8(certificate.private_key_pem.bytes()))
    return cert_file, key_file


def _pkcs8(key: bytes, password: str | None = None) -> bytes:
    """A key in the form that Kafka takes."""
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
    )

"""A fingerprint of all that verdicts and windows hang on beside the shipments: the product itself, the user's rules,
and settings. Windows that were kept under another are not used."""

import os
import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

import stream
from stream.settings import REPLAY_SETTINGS, Settings

_RULE_FILES = ("policy_file", "rates_file")


def fingerprint(settings: Settings, partitions: int) -> bytes:
    """The fingerprint of a worker, of 16 bytes.

    To be taken before the rules are read: where a file changes in between, that of its old content leads to a count
    too many, while that of its new one would let windows by the old rules be used.
    """
    digest = blake2b(_product(), digest_size=16)
    for name in REPLAY_SETTINGS:
        value = getattr(settings, name)
        if name in _RULE_FILES and value is not None:
            value = _content(Path(value))
        digest.update(f"{name} {value!r}\n".encode())
    digest.update(b"%d" % partitions)
    return digest.digest()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # whoever reads the rules says so


@cache
def _product() -> bytes:
    """Of every file of the product: a number that had to be raised with each change of the rules would be forgotten.
    And of Python, which knows what letters and digits there are."""
    digest = blake2b(sys.version.encode())
    folder = Path(stream.__file__).parent
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)} {len(content)}\n".encode())
        digest.update(content)
    # Where it does not lie in files, as in an archive, no two starts count as alike.
    return digest.digest() if files else os.urandom(32)

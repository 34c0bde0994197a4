"""The text of a file that came from a marketplace or went through a spreadsheet.

Reports come as UTF-8, with and without a byte order mark, as Windows-1252 from the American and European stores and as
Shift_JIS from the Japanese one; spreadsheets also save UTF-16. Any may be packed with gzip, as by the Reports API.
"""

import codecs
import gzip
import zlib
from typing import NamedTuple

_GZIP = b"\x1f\x8b"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_FREQUENT_LEADS = range(0x81, 0xA0)
"""First bytes of the kana and the frequent kanji in Shift_JIS. In Windows-1252 they are signs that words do not have,
and what words have, from 0xC0 on, begins rare kanji."""


class Text(NamedTuple):
    """Decoded text, and the encoding that it was in."""

    text: str
    encoding: str


class EncodingError(ValueError):
    """The bytes are no text. The message is one clause that does not name the file."""


def read_text(data: bytes) -> Text:
    """The text of a file's bytes. Raises :class:`EncodingError`."""
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise EncodingError(f"it cannot be unpacked: {error}") from None
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Text(_decode(data, encoding), encoding.removesuffix("-sig"))
    if b"\0" in data:
        raise EncodingError("it is no text")
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    if _is_shift_jis(data):
        return Text(data.decode("cp932"), "shift_jis")
    try:
        return Text(data.decode("cp1252"), "windows-1252")
    except UnicodeDecodeError:
        return Text(data.decode("latin-1"), "latin-1")


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise EncodingError(f"it begins as {encoding.removesuffix('-sig')} and goes on as something else") from None


def _is_shift_jis(data: bytes) -> bool:
    """Whether it can be Shift_JIS, and reads like Japanese rather than like a European language."""
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError:
        return False
    leads = [encoded[0] for char in text if len(encoded := char.encode("cp932")) == 2]
    return 2 * sum(lead in _FREQUENT_LEADS for lead in leads) > len(leads)

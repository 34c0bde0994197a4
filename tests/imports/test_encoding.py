"""Bytes as text, in the encodings that sellers get."""

import gzip

import pytest

from stream.imports.encoding import EncodingError, read_text

GERMAN = "order-id\tship-method\n028-1\tGroßbrief über Köln – „schön“, 5 €\n"
FRENCH = "order-id\tship-method\n028-1\tLettre prioritaire, œuvre à Nîmes, déjà payée\n"
JAPANESE = "order-id\tcarrier-name\n249-1\tヤマト運輸\n249-2\t佐川急便 宅配便 ﾈｺﾎﾟｽ\n"
KANJI_ALONE = "order-id\tcarrier-name\n249-2\t佐川急便\n"


@pytest.mark.parametrize("text", [GERMAN, FRENCH, JAPANESE, KANJI_ALONE])
@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16")]
)
def test_unicode(text: str, encoding: str, name: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    assert read_text(mark + text.encode(encoding)) == (text, name)


@pytest.mark.parametrize("text", [GERMAN, FRENCH])
def test_western(text: str) -> None:
    assert read_text(text.encode("cp1252")) == (text, "windows-1252")


@pytest.mark.parametrize("text", [JAPANESE, KANJI_ALONE])
def test_japanese(text: str) -> None:
    assert read_text(text.encode("cp932")) == (text, "shift_jis")


@pytest.mark.parametrize(
    "word",
    ["für", "Bücher", "Müller", "Åre", "Łódź", "Ærø", "Süß", "çà", "España", "Düsseldorf 40210", "ÄÖÜ", "È", "mañana"],
)
def test_single_words_are_not_taken_for_japanese(word: str) -> None:
    encoding = "cp1250" if "Ł" in word else "cp1252"
    assert read_text(word.encode(encoding)).encoding == "windows-1252"


def test_what_no_encoding_has_is_read_all_the_same() -> None:
    assert read_text(b"a\x81\xe4 b\x8d ") == ("a\x81ä b\x8d ", "latin-1")


def test_packed() -> None:
    assert read_text(gzip.compress(GERMAN.encode("cp1252"))) == (GERMAN, "windows-1252")
    with pytest.raises(EncodingError, match="cannot be unpacked"):
        read_text(gzip.compress(GERMAN.encode())[:-9])


@pytest.mark.parametrize("data", [b"PK\x03\x04\0\0", b"\xef\xbb\xbf\xff", b"\xff\xfeabc"])
def test_no_text(data: bytes) -> None:
    with pytest.raises(EncodingError):
        read_text(data)

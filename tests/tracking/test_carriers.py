"""Whom sellers and order systems mean, and what is wrong with a carrier's file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.tracking import resolve_carrier
from stream.tracking.carrier_files import CarrierFileError, read_carrier_files
from stream.tracking.carriers import CARRIERS_FOLDER, Registry, known_carriers

SPELLINGS = {
    "DHL": [
        "DHL", "dhl", " DHL ", "DHL Paket", "DHLPaket", "DHL-Paket", "dhl_de", "dhl-germany", "Deutsche Post DHL",
        "Deutsche Post / DHL", "DHL (Paket)", "DHL Warenpost", "D.H.L.", "ＤＨＬ", "DHLPL", "DHL Kleinpaket 1kg",
    ],
    "DHL Express": ["DHL Express", "dhl_express", "DHLExpress", "DHL EXPRESS WORLDWIDE"],
    "DHL eCommerce": ["DHL eCommerce", "DHL e-commerce US", "DHL Global Mail", "DHLGlobalMail", "dhl_ecommerce"],
    "UPS": ["UPS", "U.P.S.", "ups", "UPS®", "UPS Ground", "UPSGround", "ups_us", "UPS Standard", "UPSMI",
            "UPS Mail Innovations", "United Parcel Service", "UPS 2nd Day Air", "UPS - Express Saver"],
    "USPS": ["USPS", "U.S.P.S.", "USPS Ground Advantage", "usps_priority_mail", "United States Postal Service"],
    "FedEx": ["FedEx", "FEDEX", "Fed Ex", "Fed-Ex", "FedEx Home Delivery", "fedex_ground",
              "FedExSmartPost", "Federal Express", "FEDEX_JP"],
    "Amazon Shipping": ["Amazon Shipping", "Amazon Logistics", "AMZL_UK", "AMZL US", "amzn_us", "AMAZON_LOGISTICS"],
    "Canada Post": ["Canada Post", "canada-post", "CANADA_POST", "Postes Canada", "CanadaPost Expedited"],
    "Australia Post": ["Australia Post", "AusPost", "AustraliaPost", "AUSSIE_POST", "Australia Post-ArticleId"],
    "Japan Post": ["Japan Post", "日本郵便", "ゆうパック", "ゆうﾊﾟｯｸ", "Yu-Pack"],
    "Yamato": ["YAMATO", "Yamato Transport", "ヤマト運輸", "ﾔﾏﾄ運輸", "Kuroneko Yamato", "宅急便"],
    "Sagawa": ["Sagawa", "佐川急便", "SAGAWA Express"],
    "China Post": ["China Post", "EUB", "ePacket", "EMS", "中国邮政"],
    "Yun Express": ["Yun Express", "YunExpress", "yun_express", "Yun-Express Global"],
    "4PX": ["4PX", "4px express", "4-PX"],
    "OnTrac": ["OnTrac", "ONTRAC", "OnTrac Ground"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "given"), [(name, given) for name, of in SPELLINGS.items() for given in of])
def test_spellings(name: str, given: str) -> None:
    carrier = resolve_carrier(given)
    assert carrier is not None
    assert carrier.name == name


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "-",
        "Other",
        "Sonstige",
        "n/a",
        "None",
        "upsy",
        "dhlx",
        "Post",
        "Express",
        "Standard",
        "Paket",
        "\0",
        "🚚",
        "x" * 10_000,
    ],
)
def test_unknown_carriers(given: str) -> None:
    assert resolve_carrier(given) is None


@given(st.text(max_size=300))
def test_no_name_is_too_strange(given: str) -> None:
    resolve_carrier(given)


@pytest.mark.parametrize("key", known_carriers().carriers)
def test_every_name_alias_and_prefix_stands_for_its_carrier_in_any_case(key: str) -> None:
    file = read_carrier_files(CARRIERS_FOLDER)[key]
    spellings = [file.name, *file.aliases, *file.prefixes, *(f"{prefix} of tomorrow" for prefix in file.prefixes)]
    for spelling in [
        *spellings,
        *map(str.upper, spellings),
        *map(str.lower, spellings),
        *(f" {s}! " for s in spellings),
    ]:
        carrier = resolve_carrier(spelling)
        assert carrier is not None, spelling
        assert carrier.key == key, spelling


GOOD = 'name = "A"\ncomplete = true\n'
FORMAT = '[[formats]]\nname = "x"\npattern = "[0-9]{9}"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "Invalid value (at end of document)"),
        ("complete = true\n", "missing required field `name`"),
        ('name = "A"\n', "missing required field `complete`"),
        ('name = ""\ncomplete = true\n', "- at `name`"),
        (GOOD + 'alias = ["B"]\n', "unknown field `alias`"),
        (GOOD + "aliases = [1]\n", "- at `aliases[0]`"),
        (GOOD + 'sources = ["a book"]\n', "- at `sources[0]`"),
        (GOOD + 'accepts = ["b"]\n', "accepts: no other carrier's file is named 'b'"),
        (GOOD + 'accepts = ["a"]\n', "accepts: no other carrier's file is named 'a'"),
        (GOOD + 'aliases = ["-"]\n', "'-' has neither letters nor digits"),
        (GOOD + '[[formats]]\nname = "x"\n', "missing required field `pattern` - at `formats[0]`"),
        (GOOD + FORMAT + '[[formats]]\nname = "x"\npattern = "("\n', "formats[1].pattern: "),
        (GOOD + '[[formats]]\nname = "x"\npattern = "(a)"\n', "formats[0].pattern: has a capturing group"),
        (GOOD + FORMAT + 'check = "mod12"\n', "formats[0].check: no algorithm is named 'mod12'"),
        (GOOD + FORMAT + 'check = "mod10"\n', "formats[0].check.weights: 'mod10' needs weights"),
        (
            GOOD + FORMAT + 'check = { name = "gs1", weights = [1] }\n',
            "formats[0].check.weights: 'gs1' takes no weights",
        ),
        (GOOD + FORMAT + 'check = { name = "gs1", stop = 1 }\n', "- at `formats[0].check`"),
        (GOOD + FORMAT + "settled = 1\n", "- at `formats[0].settled`"),
    ],
)
def test_an_error_names_the_file_the_table_and_the_key(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(CarrierFileError) as error:
        Registry(tmp_path)
    message = str(error.value)
    assert message.startswith("a.toml: ")
    assert says in message
    assert "\n" not in message


def test_a_name_stands_for_one_carrier_only(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD + 'aliases = ["Bé-Express"]\n')
    (tmp_path / "b.toml").write_text('name = "B Express"\ncomplete = false\naliases = ["BE Express"]\n')
    with pytest.raises(CarrierFileError, match=r"^b\.toml: 'BE Express' also stands for A in a\.toml$"):
        Registry(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(CarrierFileError, match=r"^a\.toml: "):
        Registry(tmp_path)


def test_the_longest_prefix_wins_over_all_carriers(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD + 'prefixes = ["post"]\n')
    (tmp_path / "b.toml").write_text('name = "B"\ncomplete = true\nprefixes = ["post express"]\n')
    registry = Registry(tmp_path)
    resolved = {
        given: registry.resolve(given) for given in ("Post", "Post Letter", "post-express 24", "PostExpress", "Postal")
    }
    assert {given: it and it.key for given, it in resolved.items()} == {
        "Post": "a",
        "Post Letter": "a",
        "post-express 24": "b",
        "PostExpress": "b",
        "Postal": None,
    }


def test_a_carrier_without_formats_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    carrier = Registry(tmp_path).resolve("A")
    assert carrier is not None
    assert carrier.match("") is None

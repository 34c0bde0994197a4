"""Countries and marketplaces, in the one spelling the rest of the code compares.

The marketplace calls Britain ``UK`` while addresses use ISO's ``GB``; both mean the same place. A country is
an ISO 3166-1 alpha-2 code; a marketplace code is a country code (``DE``, ``UK``) or, for marketplaces
that are not Amazon's, any name.
"""

_ALPHA_2 = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
"""ISO 3166-1 alpha-2, and XK, which carriers use for Kosovo."""

COUNTRIES = frozenset(_ALPHA_2.split())
"""The countries' codes, all canonical."""

MARKETPLACES = COUNTRIES - {"GB"} | {"UK"}
"""The codes of marketplaces that are a country's, all canonical."""

_COUNTRIES = {code: code for code in COUNTRIES} | {"UK": "GB"}

_MARKETPLACE_IDS = {
    "A17E79C6D8DWNP": "SA",
    "A1805IZSGTT6HS": "NL",
    "A19VAU5U5O7RUS": "SG",
    "A1AM78C64UM0Y8": "MX",
    "A1C3SOZRARQ6R3": "PL",
    "A1F83G8C2ARO7P": "UK",
    "A1PA6795UKMFR9": "DE",
    "A1RKKUPIHCS9HS": "ES",
    "A1VC38T7YXB528": "JP",
    "A13V1IB3VIYZZH": "FR",
    "A21TJRUUN4KGV": "IN",
    "A28R8C7NBKEWEA": "IE",
    "A2EUQ1WTGCTBG2": "CA",
    "A2NODRKZP88ZB9": "SE",
    "A2Q3Y263D00KWC": "BR",
    "A2VIGQ35RCS4UG": "AE",
    "A33AVAJ2PDY3EV": "TR",
    "A39IBJ37TRP1C6": "AU",
    "AE08WJ6YKNBMC": "ZA",
    "AMEN7PMS3EDWL": "BE",
    "APJ6JRA9NG5V4": "IT",
    "ARBP9OOSHTCHU": "EG",
    "ATVPDKIKX0DER": "US",
}
"""Amazon's ids of its marketplaces: https://developer-docs.amazon.com/sp-api/docs/marketplace-ids"""

_MARKETPLACES = _COUNTRIES | {"UK": "UK", "GB": "UK"} | _MARKETPLACE_IDS

MARKETPLACE_CODES = frozenset(_MARKETPLACE_IDS.values())
"""The marketplaces that are Amazon's."""


def canonical_country(code: str) -> str | None:
    """The ISO code for a country code as sellers write it (any case, ``UK`` too), or None where there is none."""
    return _COUNTRIES.get(code) or (_COUNTRIES.get(code.strip().upper()) if code.isascii() else None)


def canonical_marketplace(code: str) -> str:
    """The marketplace's code: a country's in capitals and ``UK`` for Britain, other names without outer blanks.

    An id of Amazon's, such as ``A1PA6795UKMFR9``, is that of its country. Empty for a blank one.
    """
    return _MARKETPLACES.get(code) or (code.isascii() and _MARKETPLACES.get(code.strip().upper())) or code.strip()


def marketplace_country(marketplace: str) -> str | None:
    """The country a marketplace code stands for, or None where it is not a country's."""
    return _COUNTRIES.get(marketplace)

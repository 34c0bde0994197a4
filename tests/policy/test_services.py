"""Ship methods as sellers and order systems write them, and what kind of service they are."""

import pytest

from stream.policy.services import ServiceClass, service_class

LETTERS = [
    # Germany
    *(
        "Brief",
        " BRIEF ",
        "brief",
        "Großbrief",
        "GROSSBRIEF",
        "Grossbrief",
        "Groß-Brief",
        "Standardbrief",
        "Kompaktbrief",
        "Maxibrief",
    ),
    *(
        "Deutsche Post Brief",
        "DP Großbrief 500g",
        "Deutsche Post - Maxibrief (bis 1000 g)",
        "Brief International",
        "Prio-Brief",
        "Standard-Brief",
    ),
    # France, Belgium
    *(
        "lettre verte",
        "Lettre Verte",
        "Lettre prioritaire",
        "LETTRE",
        "La Poste Lettre Verte 100g",
        "e-lettre rouge",
        "Écopli",
        "ecopli",
    ),
    # Italy
    *("Posta Ordinaria", "posta1", "Posta 4", "Poste Italiane - Posta Prioritaria", "Lettera ordinaria", "Francobollo"),
    # Spain
    *("carta ordinaria", "Carta", "Correos Carta Ordinaria", "Correo ordinario"),
    # Netherlands
    *("Brievenbuspost", "Postzegel", "PostNL Brief", "Genormaliseerde brief"),
    # Sweden
    *("Brev", "Ekonomibrev", "PostNord Brev 1:a klass", "Frimärke", "FRIMARKE"),
    # Poland
    *("List ekonomiczny", "List zwykły", "list zwykly", "List priorytetowy", "Poczta Polska List Ekonomiczny"),
    # Britain
    *(
        "Large Letter",
        "large letter",
        "1st Class Letter",
        "2nd Class Large Letter",
        "Royal Mail 2nd Class Large Letter",
    ),
    *(
        "1st-class stamp",
        "Royal Mail Stamps",
        "Franking",
        "Royal Mail Franked Mail",
        "Standard Letter",
        "letter",
        "Letters",
    ),
    # America
    *(
        "First-Class Mail Envelope",
        "USPS First Class Letter",
        "USPS First-Class Flats",
        "Standard Mail Envelopes",
        "Canada Post Lettermail",
    ),
    # Australia
    *("Regular Letter", "Australia Post Regular Letter Service", "Large Letter (500g)"),
    # Japan
    *("定形外郵便", "定形郵便", "普通郵便", "定形外郵便(規格内)", "スマートレター", "Teikeigai", "日本郵便 定形外"),
    # said twice
    *("untracked letter", "Letter (no tracking)", "Brief ohne Sendungsverfolgung", "Lettre verte sans suivi"),
]

UNTRACKED = [
    *(
        "Büchersendung",
        "Buechersendung",
        "BÜCHERSENDUNG",
        "Warensendung",
        "Bücher- und Warensendung",
        "Deutsche Post Warensendung 1000",
    ),
    *("Piego di libri", "Piego Libri Ordinario", "ゆうメール", "ゆうメール便", "Yu-Mail"),
    *(
        "Untracked",
        "Standard (not tracked)",
        "Versand ohne Sendungsverfolgung",
        "Envoi sans suivi",
        "Untracked Parcel",
        "sin seguimiento",
    ),
]

TRACKED = [
    # a letter's word, and registered or tracked
    *(
        "Registered letter",
        "tracked letter",
        "Letter - Tracked",
        "Large Letter Signed For",
        "Royal Mail Signed For 1st Class Large Letter",
    ),
    *(
        "Einschreiben",
        "Einschreiben Einwurf",
        "Großbrief Einschreiben",
        "Einwurf-Einschreiben (Maxibrief)",
        "Übergabeeinschreiben",
    ),
    *("Brief mit Sendungsverfolgung", "Wertbrief", "Expressbrief"),
    *(
        "Lettre suivie",
        "LETTRE SUIVIE",
        "Lettre verte suivie",
        "Lettre recommandée",
        "lettre recommandee avec AR",
        "Lettre Services Plus",
    ),
    *(
        "Raccomandata",
        "Posta Raccomandata",
        "Lettera raccomandata",
        "Piego di libri raccomandato",
        "Posta ordinaria tracciata",
    ),
    *("Carta certificada", "CARTA CERTIFICADA URGENTE", "Correo certificado"),
    *("Brievenbuspakje", "PostNL Brievenbuspakje", "Aangetekende brief", "Brief aangetekend"),
    *("Rek", "Rekommenderat brev", "Spårbart brev", "Rekommanderet brev"),
    *("List polecony", "List polecony priorytetowy", "list polecony ekonomiczny"),
    *(
        "Special Delivery Guaranteed",
        "Royal Mail Tracked 48",
        "Certified Mail",
        "Registered Post Letter",
        "Express Post",
    ),
    # without a letter's word
    *(
        "Warenpost",
        "DHL Warenpost",
        "DHL Kleinpaket",
        "USPS Priority Mail",
        "First-Class Package",
        "Media Mail",
        "Flat Rate Envelope",
    ),
    # Japan
    *(
        "クリックポスト",
        "レターパックライト",
        "Letter Pack Plus",
        "ゆうパケット",
        "ゆうパック",
        "定形外郵便 特定記録",
        "簡易書留",
        "ネコポス",
        "Click Post",
    ),
]

UNKNOWN = [
    *("", " ", "-", "Paket", "DHL Paket", "Standard", "Economy", "Express", "Standard Shipping", "DPD Classic"),
    # words inside words
    *(
        "Briefmarke",
        "Briefmarke-Box Express",
        "newsletter",
        "Briefkasten",
        "Letterbox",
        "carte",
        "listing",
        "Brevard",
        "Restamped",
    ),
    # words beside other words
    *(
        "Letter Box",
        "Letterbox Friendly Parcel",
        "Brief-Box",
        "Letter Parcel",
        "Paket (kein Brief)",
        "Brief Express",
        "Stamps.com",
        "Stamps.com UPS",
    ),
    *("Price list", "packing list", "List", "Flats", "Standard Mail"),
    # either may be meant
    *("1st Class", "Royal Mail 2nd Class", "First Class Mail", "Warenpost International", "International Standard"),
    *("Brief " * 50, "\N{ZERO WIDTH SPACE}", "\ud800", "💌"),
]


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        *(("letter", method) for method in LETTERS),
        *(("untracked", method) for method in UNTRACKED),
        *(("tracked", method) for method in TRACKED),
        *((None, method) for method in UNKNOWN),
    ],
)
def test_the_class_of_a_ship_method(kind: ServiceClass | None, method: str) -> None:
    assert service_class(None, method) == kind
    assert service_class("A carrier nobody knows", method) == kind


def test_no_method_has_no_class() -> None:
    assert service_class("Deutsche Post", None) is None


@pytest.mark.parametrize(
    ("carrier", "method", "kind"),
    [
        ("Poczta Polska", "List", "letter"),
        ("poczta polska", "list", "letter"),
        ("USPS", "Flats", "letter"),
        ("USPS", "Large Envelope", "letter"),
        ("USPS", "Standard Mail", "untracked"),
        ("DHL", "Standard Mail", None),
        ("Royal Mail", "International Standard", "untracked"),
        ("Royal Mail", "International Standard Large Letter", "letter"),
        ("USPS", "Flat Rate Envelope", "tracked"),
        ("Deutsche Post", "Großbrief", "letter"),
    ],
)
def test_some_words_mean_a_product_of_one_carrier(carrier: str, method: str, kind: ServiceClass | None) -> None:
    assert service_class(carrier, method) == kind

"""The standard policy, by worked examples."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from stream.events import Money, OrderShipped, TrackingScanned, TrackingUploaded
from stream.policy import Outcome, StandardPolicy, Verdict
from stream.policy.letters import is_letter
from stream.settings import Settings

GRACE = 24
POLICY = StandardPolicy(Fraction(95, 100), GRACE)
NUMBER = "00340434161094042557"

AT = datetime(2026, 11, 1, tzinfo=UTC)

PARCEL = OrderShipped(
    event_id="e",
    event_time=AT,
    seller_id="A",
    order_id="028-1",
    shipment_id="028-1",
    marketplace="DE",
    category="Home",
    carrier="DHL",
    ship_method="Paket",
    order_value=Money(Decimal("24.90"), "EUR"),
    ship_from="DE",
    ship_to="FR",
    shipped_at=AT,
    promised_delivery_by=AT,
)
LETTER = replace(PARCEL, ship_method="Brief", order_value=Money(Decimal("19.99"), "EUR"))
TRACKING = TrackingUploaded(
    event_id="e", event_time=AT, seller_id="A", shipment_id="028-1", tracking_number=NUMBER, carrier="DHL"
)

VALID = Verdict(Outcome.VALID)
CHEAP_LETTER = Verdict(Outcome.EXEMPT, "low_value_letter")

NINE = ["DE", "FR", "IT", "ES", "NL", "PT", "PL", "AT", "SE"]
OTHERS = ["GB", "US", "CH", "BE", "JP"]


def judge(
    shipped: OrderShipped, tracking: TrackingUploaded | None = TRACKING, scans: Sequence[TrackingScanned] = ()
) -> Verdict:
    return POLICY.judge(shipped, tracking, scans, AT, is_reused=False)


# --- What counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "exempt"),
    [("0", True), ("19.99", True), ("19.999999", True), ("20", False), ("20.00", False), ("20.01", False)],
)
def test_a_letter_is_exempt_below_20_eur(amount: str, exempt: bool) -> None:
    assert judge(replace(LETTER, order_value=Money(Decimal(amount), "EUR"))) == (CHEAP_LETTER if exempt else VALID)


@pytest.mark.parametrize("country", NINE)
@pytest.mark.parametrize("other", OTHERS)
def test_a_letter_is_exempt_to_and_from_nine_countries(country: str, other: str) -> None:
    assert judge(replace(LETTER, ship_from=country, ship_to=other)) == CHEAP_LETTER
    assert judge(replace(LETTER, ship_from=other, ship_to=country)) == CHEAP_LETTER


@pytest.mark.parametrize(("origin", "destination"), [("GB", "US"), ("CH", "BE")])
def test_a_letter_between_other_countries_counts(origin: str, destination: str) -> None:
    assert judge(replace(LETTER, ship_from=origin, ship_to=destination)) == VALID


@pytest.mark.parametrize("country", [*NINE, *OTHERS])
def test_a_domestic_letter_counts(country: str) -> None:
    assert judge(replace(LETTER, ship_from=country, ship_to=country)) == VALID


@pytest.mark.parametrize(
    "counting",
    [
        replace(LETTER, order_value=Money(Decimal("19.99"), "GBP")),
        replace(LETTER, order_value=Money(Decimal("0.01"), "SEK")),
        replace(LETTER, order_value=None),
        replace(LETTER, ship_from=None),
        replace(LETTER, ship_to=None),
        replace(LETTER, ship_method="Paket"),
        replace(LETTER, ship_method=None),
    ],
    ids=["other currency", "other currency, less", "no value", "no origin", "no destination", "parcel", "no method"],
)
def test_what_is_not_known_to_be_a_cheap_letter_abroad_counts(counting: OrderShipped) -> None:
    assert judge(counting) == VALID
    assert judge(counting, None).outcome is Outcome.AWAITING


@pytest.mark.parametrize(
    "method", ["Brief", " BRIEF ", "Großbrief", "GROSSBRIEF", "lettre verte", "Posta Ordinaria", "large letter"]
)
def test_letters(method: str) -> None:
    assert is_letter(method)


@pytest.mark.parametrize("method", [None, "", " ", "Paket", "Briefmarke", "newsletter", "tracked letter"])
def test_no_letters(method: str | None) -> None:
    assert not is_letter(method)


@pytest.mark.parametrize("shipped", [PARCEL, LETTER, replace(PARCEL, carrier=None)])
@pytest.mark.parametrize("tracking", [None, TRACKING, replace(TRACKING, tracking_number="N/A")])
def test_what_the_marketplace_fulfils_is_exempt(shipped: OrderShipped, tracking: TrackingUploaded | None) -> None:
    verdict = judge(replace(shipped, fulfilled_by="marketplace"), tracking)
    assert verdict == Verdict(Outcome.EXEMPT, "marketplace_fulfilled")


# --- What is valid ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tracking", [None, replace(TRACKING, tracking_number=None, carrier=None)], ids=["never given", "removed"]
)
@pytest.mark.parametrize(
    ("carrier", "named"), [("DHL", "DHL"), (" GLS ", "GLS"), (" ", None), ("", None), (None, None)]
)
def test_without_a_number_a_shipment_awaits_one(
    tracking: TrackingUploaded | None, carrier: str | None, named: str | None
) -> None:
    assert judge(replace(PARCEL, carrier=carrier), tracking) == Verdict(
        Outcome.AWAITING, "no_tracking", named, grace_hours=GRACE
    )


def test_the_carrier_of_the_upload_comes_first() -> None:
    assert judge(PARCEL, replace(TRACKING, carrier="UPS", tracking_number=None)).carrier == "UPS"


@pytest.mark.parametrize("nothing", [None, "", " \t"])
def test_a_number_without_carrier(nothing: str | None) -> None:
    without = replace(TRACKING, carrier=nothing)
    assert judge(PARCEL, without) == VALID, "the carrier of the order-shipped event stands in"
    assert judge(replace(PARCEL, carrier=nothing), without) == Verdict(Outcome.DEFECT, "no_carrier")
    assert judge(replace(PARCEL, carrier=nothing)) == VALID


@pytest.mark.parametrize("number", ["N/A", "028-1", "0000000"])
def test_a_placeholder(number: str) -> None:
    assert judge(PARCEL, replace(TRACKING, tracking_number=number)) == Verdict(
        Outcome.DEFECT, "placeholder_number", "DHL"
    )
    verdict = judge(replace(PARCEL, carrier=None), replace(TRACKING, tracking_number=number, carrier=None))
    assert verdict == Verdict(Outcome.DEFECT, "no_carrier"), "one reason, the first to repair"


def test_scans_change_nothing() -> None:
    scan = TrackingScanned(event_id="e", event_time=AT, seller_id="A", shipment_id="028-1", milestone="delivered")
    assert judge(PARCEL, TRACKING, [scan]) == VALID
    assert judge(PARCEL, None, [scan]) == judge(PARCEL, None)


# --- What scopes are held to -----------------------------------------------------------------------------------------


def test_the_standard_is_that_of_the_settings_everywhere_and_always() -> None:
    policy = StandardPolicy.of(Settings(grace_hours=7))
    assert {policy.standard(marketplace, hour) for marketplace in (None, "DE", "UK") for hour in (0, 500_000)} == {
        (Fraction(19, 20), "amazon-2025-01-15")
    }
    assert policy.judge(PARCEL, None, (), None, is_reused=False).grace_hours == 7

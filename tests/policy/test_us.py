"""Amazon.com, by worked examples."""

import pytest

from stream.events import Milestone
from stream.policy import Outcome
from tests.policy.facts import BY_SCAN, NUMBER, Fields, fate, judge, order, scan

ENVELOPE: Fields = {"carrier": "USPS", "ship_method": "First-Class Mail Envelope", "ship_from": "US", "ship_to": "US"}


# --- Scans since 2025-01-15, by origin and value ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "value", "needs_two"),
    [
        ("US", "0.01 USD", False),
        ("US", "500 USD", False),
        *((origin, "4.99 USD", False) for origin in ("CN", "CA", "AS", "UM")),
        *((origin, "5.00 USD", True) for origin in ("CN", "CA", "AS", "UM")),
        *((origin, "14.99 USD", False) for origin in ("IN", "GB")),
        *((origin, "15.00 USD", True) for origin in ("IN", "GB")),
        ("CN", None, True),
        ("IN", "1 XXX", True),
        (None, "500 USD", False),
    ],
)
def test_scans_by_origin_and_value(origin: str | None, value: str | None, needs_two: bool) -> None:
    shipped = order("US", "2025-01-15", value, ship_from=origin, ship_to="US")

    def outcome(*milestones: Milestone) -> str | None:
        verdict = judge(shipped, scans=[scan(each, "2025-01-20") for each in milestones], policy=BY_SCAN)
        assert verdict.outcome is (Outcome.VALID if verdict.reason is None else Outcome.AWAITING)
        return verdict.reason

    missing = "second_scan_missing" if needs_two else None
    assert outcome() == "no_scan"
    assert outcome("carrier_received") == missing
    assert outcome("arrived_at_facility") == missing
    assert outcome("delivered") == missing
    assert outcome("in_transit", "out_for_delivery") == missing
    assert outcome("delivery_attempted", "delivered") == missing
    assert outcome("arrived_at_facility", "delivered") is None
    assert outcome("arrived_at_facility", "delivery_attempted") is None


@pytest.mark.parametrize(("value", "needs_two"), [("4.99 USD", False), ("5 USD", True), ("80 USD", True)])
def test_from_china_two_scans_were_needed_before(value: str, needs_two: bool) -> None:
    shipped = order("US", "2025-01-14", value, ship_from="CN", ship_to="US")
    verdict = judge(shipped, scans=[scan("arrived_at_facility", "2025-01-20")], policy=BY_SCAN)
    assert verdict.reason == ("second_scan_missing" if needs_two else None)


@pytest.mark.parametrize("origin", ["CA", "IN", "GB", "DE"])
def test_elsewhere_one_scan_was_enough_before(origin: str) -> None:
    shipped = order("US", "2025-01-14", "80 USD", ship_from=origin, ship_to="US")
    assert judge(shipped, scans=[scan("in_transit", "2025-01-20")], policy=BY_SCAN).outcome is Outcome.VALID


def test_scans_of_another_number_do_not_count() -> None:
    shipped = order("US", "2026-02-01", "80 USD", ship_from="US", ship_to="US")

    def reason(number: str | None) -> str | None:
        return judge(shipped, scans=[scan("delivered", "2026-02-05", tracking_number=number)], policy=BY_SCAN).reason

    assert reason("1Z12345E0205271688") == "no_scan"
    assert reason(NUMBER) is None
    assert reason("1z 5R89 3903 5756 7127") is None
    assert reason(None) is None
    assert reason("") is None, "a blank is no other number"
    assert reason(" ") is None


# --- What counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "value", "expected"),
    [
        ("2016-10-11", "500 USD", "untracked_service"),
        ("2016-10-12", "9.99 USD", "low_value_letter"),
        ("2016-10-12", "10.00 USD", "counted"),
        ("2025-01-14", "9.99 USD", "low_value_letter"),
        ("2025-01-15", "9.99 USD", "low_value_letter"),
        ("2025-01-15", "10.00 USD", "counted"),
        ("2025-01-15", None, "counted"),
    ],
)
def test_envelopes_of_the_post(on: str, value: str | None, expected: str) -> None:
    assert fate(order("US", on, value, **ENVELOPE)) == expected


def test_a_cheap_parcel_is_no_envelope() -> None:
    assert fate(order("US", "2026-01-15", "9.99 USD", **ENVELOPE | {"ship_method": "Ground Advantage"})) == "counted"
    assert fate(order("US", "2026-01-15", "9.99 USD", **ENVELOPE | {"carrier": "UPS"})) == "counted"


def test_envelopes_to_territories_are_open() -> None:
    assert fate(order("US", "2026-01-15", "9.99 USD", **ENVELOPE | {"ship_to": "PR"})) == "ambiguous"
    assert fate(order("US", "2026-01-15", "10 USD", **ENVELOPE | {"ship_to": "PR"})) == "counted"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        *((origin, "counted") for origin in ("US", "CN", "CA", "AS", "UM", "IN", "GB")),
        *((origin, "ambiguous") for origin in ("PR", "GU", "VI", "MP")),
        *((origin, "origin_not_covered") for origin in ("DE", "HK", "TW", "MX", "JP")),
        (None, "counted"),
    ],
)
def test_origins_since_2025(origin: str | None, expected: str) -> None:
    assert fate(order("US", "2025-01-15", "80 USD", ship_from=origin, ship_to="US")) == expected
    assert fate(order("US", "2025-01-14", "80 USD", ship_from=origin, ship_to="US")) == "counted"


@pytest.mark.parametrize("origin", ["IN", "GB"])
@pytest.mark.parametrize(
    ("value", "carrier", "expected"),
    [
        ("14.99 USD", "Royal Mail", "untracked_service"),
        ("15.00 USD", "Royal Mail", "counted"),
        ("14.99 USD", "Made Up Post", "counted"),
    ],
)
def test_untracked_services_from_india_and_britain(origin: str, value: str, carrier: str, expected: str) -> None:
    shipped = order(
        "US", "2025-06-01", value, ship_from=origin, ship_to="US", carrier=carrier, ship_method="Large Letter"
    )
    assert fate(shipped) == expected


def test_untracked_services_from_elsewhere_count() -> None:
    shipped = order(
        "US", "2025-06-01", "14.99 USD", ship_from="CN", ship_to="US", carrier="Royal Mail", ship_method="Large Letter"
    )
    assert fate(shipped) == "counted"


@pytest.mark.parametrize("method", ["Digital", "digital  delivery", "Email Delivery"])
def test_digital_products_are_left_out(method: str) -> None:
    assert fate(order("US", "2025-01-15", "80 USD", ship_from="US", ship_to="US", ship_method=method)) == "digital"


def test_a_digital_stamp_is_no_digital_product() -> None:
    shipped = order("US", "2025-01-15", "80 USD", ship_from="US", ship_to="US", ship_method="Digital Stamp")
    assert fate(shipped) == "counted"


def test_cheap_orders_from_china_were_open() -> None:
    assert fate(order("US", "2024-06-01", "5.00 USD", ship_from="CN", ship_to="US")) == "ambiguous"
    assert fate(order("US", "2024-06-01", "5.01 USD", ship_from="CN", ship_to="US")) == "counted"


# --- Carriers --------------------------------------------------------------------------------------------------------


def test_a_carrier_that_is_not_known_was_invalid_and_open_until_2025() -> None:
    before = judge(order("US", "2025-01-14", "80 USD", ship_from="US", ship_to="US", carrier="Made Up Post"))
    assert before[:3] == (Outcome.DEFECT, "carrier_not_integrated", "Made Up Post")
    assert before.ambiguous
    after = judge(order("US", "2025-01-15", "80 USD", ship_from="US", ship_to="US", carrier="Made Up Post"))
    assert after == (Outcome.VALID, None, None, 0, False)


def test_values_in_other_currencies_convert() -> None:
    # The row of 2026-02-01 has USD 1.1919 for EUR 1, so that USD 10 are EUR 8.3899….
    assert fate(order("US", "2026-02-10", "8.389 EUR", **ENVELOPE)) == "low_value_letter"
    assert fate(order("US", "2026-02-10", "8.39 EUR", **ENVELOPE)) == "counted"

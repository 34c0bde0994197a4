"""The sample files: every kind of order that a seller has, and what becomes of it."""

import json

import pytest

from stream.explain.history import SellerHistory
from stream.imports import Assumptions, Imported, import_files
from stream.policy import RulesPolicy
from stream.settings import Settings
from tests.imports.files import SAMPLE_FILES, SAMPLES, SELLER, shipped
from tests.policy.facts import at

AS_OF = at("2026-10-26T00:00:00")


@pytest.fixture(scope="module")
def imported() -> Imported:
    return import_files([str(SAMPLES / file) for file in SAMPLE_FILES], SELLER, Assumptions())


def test_what_each_shipment_counts_as(imported: Imported) -> None:
    history = SellerHistory(imported.events, AS_OF)
    policy = RulesPolicy.of(Settings())
    verdicts = {}
    for event in shipped(imported):
        verdict = history.explain(policy, Settings().lag_days, event.shipment_id).verdict
        verdicts[event.shipment_id] = event.marketplace, verdict.outcome, verdict.reason
    assert verdicts == {
        "028-1000001-1000001-55500000001001": ("DE", "valid", None),
        "028-1000002-1000002-55500000002001": ("DE", "exempt", "low_value"),
        "028-1000003-1000003-55500000003001": ("FR", "exempt", "low_value_letter"),
        "028-1000004-1000004-55500000004001": ("DE", "valid", None),
        "028-1000004-1000004-55500000004002": ("DE", "valid", None),
        "028-1000005-1000005-55500000005001": ("DE", "defect", "no_tracking"),
        "028-1000007-1000007": ("DE", "exempt", "marketplace_fulfilled"),
        "028-1000008-1000008-55500000008001": ("DE", "valid", None),
        "112-2000001-2000001-66600000001001": ("US", "valid", None),
        "112-2000002-2000002-66600000002001": ("US", "exempt", "low_value_letter"),
        "112-2000003-2000003-66600000003001": ("US", "defect", "placeholder_number"),
        "202-3000001-3000001-7770000000101": ("UK", "valid", None),
        "202-3000002-3000002-7770000000201": ("UK", "defect", "late_tracking"),
        "202-3000003-3000003-7770000000301": ("UK", "valid", None),
        "202-3000003-3000003-7770000000301-2": ("UK", "valid", None),
        "202-3000005-3000005": ("UK", "exempt", "marketplace_fulfilled"),
    }


def test_what_gives_no_event(imported: Imported) -> None:
    assert imported.left == {"cancelled": 2, "not shipped": 1}
    assert [(reject.place.line, reject.place.column) for reject in imported.rejects] == [
        (12, ""),
        (10, ""),
        (11, "ship-date"),
    ]
    assert imported.orders == 19
    assert imported.shipments == 16


def test_every_report_is_among_them(imported: Imported) -> None:
    assert [(file.report, file.encoding, file.rows) for file in imported.files] == [
        ("all_orders", "windows-1252", 14),
        ("order_report", "utf-8", 13),
        ("fulfilment_feed", "utf-8", 12),
        ("fulfilment_feed", "utf-8", 1),
        ("orders_api", "utf-8", 4),
        ("orders_api", "utf-8", 3),
        ("categories", "utf-8", 9),
    ]


def test_orders_are_made_up() -> None:
    text = "".join((SAMPLES / file.partition("@")[0]).read_bytes().decode("latin-1") for file in SAMPLE_FILES)
    assert "@" not in text
    for file in SAMPLES.glob("*.json"):
        json.loads(file.read_bytes())

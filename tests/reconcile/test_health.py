"""What a saved account-health report says, in all the shapes that sellers have."""

import json
from datetime import date
from pathlib import Path

import pytest

from stream.reconcile import HealthReportError, Theirs, read_health_report

RANGE = {"reportingDateFrom": "2026-09-16T00:00Z", "reportingDateTo": "2026-10-15T23:59Z"}
RATE = {
    "reportingDateRange": RANGE,
    "shipmentCount": 200,
    "validTrackingCount": 190,
    "status": "GOOD",
    "rate": 0.95,
    "targetValue": 0.95,
    "targetCondition": "GREATER_THAN",
}


def read(document: object, folder: Path) -> list[Theirs]:
    file = folder / "health.json"
    file.write_text(json.dumps(document))
    return read_health_report(file)


def one(rate: object, folder: Path) -> Theirs:
    (theirs,) = read({"performanceMetrics": [{"marketplaceId": "A1PA6795UKMFR9", "validTrackingRate": rate}]}, folder)
    return theirs


def test_as_the_schema_has_it(tmp_path: Path) -> None:
    assert one(RATE, tmp_path) == Theirs(
        marketplace="DE",
        category=None,
        from_=date(2026, 9, 16),
        to=date(2026, 10, 15),
        counted=200,
        valid=190,
        rate=0.95,
        status="GOOD",
        target=0.95,
        notes=(),
    )


@pytest.mark.parametrize(
    "document",
    [
        {"performanceMetrics": {"marketplaceId": "DE", "validTrackingRate": RATE}},
        [{"performanceMetrics": [{"marketplaceId": "DE", "validTrackingRate": [RATE]}]}],
        {
            "PerformanceMetrics": [
                {"MARKETPLACE_ID": "de", "valid_tracking_rate": {k.upper(): v for k, v in RATE.items()}}
            ]
        },
        {"report": {"marketplaceId": "DE", "body": {"validTrackingRateList": [RATE]}}},
        {"marketplaceId": "DE", "lateShipmentRate": {"shipmentCount": 3}, **RATE},
    ],
)
def test_wherever_it_stands(document: object, tmp_path: Path) -> None:
    (theirs,) = read(document, tmp_path)
    assert (theirs.marketplace, theirs.counted, theirs.valid, theirs.to) == ("DE", 200, 190, date(2026, 10, 15))


def test_by_category(tmp_path: Path) -> None:
    rates = [RATE | {"category": "Toys"}, RATE | {"productCategory": "Home", "shipmentCount": 300}]
    found = read({"marketplaceId": "A1F83G8C2ARO7P", "validTrackingRate": rates}, tmp_path)
    assert [(each.marketplace, each.category, each.counted) for each in found] == [
        ("UK", "Toys", 200),
        ("UK", "Home", 300),
    ]


@pytest.mark.parametrize(
    ("changed", "expected", "note"),
    [
        ({"validTrackingCount": None}, (200, 190, 0.95), "190 is worked out from the rate"),
        ({"validTrackingCount": 896}, (200, 190, 0.95), "896 is more than its shipmentCount 200"),
        ({"rate": None}, (200, 190, 0.95), None),
        ({"shipmentCount": 32, "validTrackingCount": 29, "rate": None}, (32, 29, 0.9063), None),
        ({"rate": "95.00%"}, (200, 190, 0.95), None),
        ({"rate": 95}, (200, 190, 0.95), None),
        ({"rate": 0.9}, (200, 190, 0.9), "its rate 0.9 is not 190 / 200"),
        ({"rate": "good"}, (200, 190, 0.95), "`good` is not a share"),
        ({"shipmentCount": None}, (None, 190, 0.95), "gives no shipmentCount"),
        ({"shipmentCount": "200"}, (200, 190, 0.95), None),
        ({"shipmentCount": -1}, (None, 190, 0.95), "`-1` is not a number of shipments"),
        ({"shipmentCount": 0, "validTrackingCount": 0, "rate": None}, (0, 0, None), None),
        ({"shipmentCount": 7, "validTrackingCount": None, "rate": 1}, (7, 7, 1.0), "7 is worked out"),
    ],
)
def test_what_is_missing_or_does_not_fit(
    changed: dict[str, object], expected: tuple[int | None, int | None, float | None], note: str | None, tmp_path: Path
) -> None:
    theirs = one({name: value for name, value in (RATE | changed).items() if value is not None}, tmp_path)
    assert (theirs.counted, theirs.valid, theirs.rate) == expected
    assert (note is None and theirs.notes == ()) or (note is not None and note in "; ".join(theirs.notes))


@pytest.mark.parametrize(
    ("span", "days", "note"),
    [
        (
            {"reportingDateFrom": "2026-08-26T00:00:00Z", "reportingDateTo": "2026-09-24T00:00:00Z"},
            ("2026-08-26", "2026-09-24"),
            None,
        ),
        ({"from": "2026-08-26", "to": "2026-09-24T23:59:59+09:00"}, ("2026-08-26", "2026-09-24"), None),
        ({"from": "2026-09-18", "to": "2026-09-24"}, ("2026-09-18", "2026-09-24"), "7 days instead of 30"),
        ({"from": "2026-09-24", "to": "2026-09-18"}, (None, None), "end before they begin"),
        ({"from": "24/09/2026", "to": "2026-09-24"}, (None, "2026-09-24"), "does not say for which days"),
        (None, (None, None), "does not say for which days"),
    ],
)
def test_days(span: object, days: tuple[str | None, str | None], note: str | None, tmp_path: Path) -> None:
    theirs = one(RATE | {"reportingDateRange": span}, tmp_path)
    assert (theirs.from_ and str(theirs.from_), theirs.to and str(theirs.to)) == days
    assert (note is None and theirs.notes == ()) or (note is not None and note in "; ".join(theirs.notes))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"{", "it is no JSON"),
        (b"\0", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b'{"performanceMetrics": []}', "no validTrackingRate in it"),
        (b'{"validTrackingRate": null}', "no validTrackingRate in it"),
    ],
)
def test_no_report(data: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    file.write_bytes(data)
    with pytest.raises(HealthReportError, match=problem):
        read_health_report(file)
    with pytest.raises(HealthReportError, match="No such file"):
        read_health_report(tmp_path / "none.json")

"""What a report says of a shipment, and which shipments the filters let through."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

from stream.events import Event, Money
from stream.explain.standing import REASONS
from stream.policy import RulesPolicy
from stream.records import DefectReason
from stream.report import Selection
from stream.report.defects import Defect, DefectReport
from stream.report.history import SellerHistory
from stream.report.remedies import REMEDIES
from stream.settings import Settings
from tests.test_engine_properties import HOUR, Line, all_decoded, shipped, tracked

POLICY = RulesPolicy.of(Settings())
AT = datetime(2026, 11, 1, 11, 58, tzinfo=UTC)
NOW = AT + timedelta(days=3)


def report(*lines: Line, as_of: datetime = NOW, **selection: object) -> DefectReport:
    events: list[Event] = all_decoded(lines)
    return SellerHistory("A", events, as_of).report(POLICY, 10, Selection(**selection))  # type: ignore[arg-type]


def ids(found: DefectReport) -> list[str]:
    return [defect.shipment_id for defect in found.defects]


def test_every_defect_code_has_one_sentence_on_what_to_do() -> None:
    codes = get_args(DefectReason)
    assert set(REMEDIES) == set(codes) <= set(REASONS)
    assert len(set(REMEDIES.values())) == len(codes)
    for sentence in REMEDIES.values():
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert 40 < len(sentence) < 140


def test_a_defect_has_all_that_is_known_of_it() -> None:
    found = report(
        shipped(
            "1",
            AT,
            ship_from="DE",
            ship_to="DE",
            ship_method="Paket",
            carrier="dhl",
            order_value={"amount": "49.90", "currency": "EUR"},
            promised_delivery_by=AT + timedelta(days=2),
        ),
        tracked("1", AT + HOUR, tracking_number="N/A"),
    )
    assert found.defects == [
        Defect(
            order_id="order-1",
            shipment_id="1",
            marketplace="DE",
            category="Home",
            carrier="DHL",
            tracking_number="N/A",
            ship_from="DE",
            ship_method="Paket",
            order_value=Money(Decimal("49.90"), "EUR"),
            shipped_at=AT,
            promised_delivery_by=AT + timedelta(days=2),
            reason="placeholder_number",
            ambiguous=False,
            what_to_do=REMEDIES["placeholder_number"],
        )
    ]
    assert (found.counts.counted, found.counts.defects, found.counts.vtr) == (1, 1, 0)


def test_pending_ones_are_no_rows_until_their_grace_is_over() -> None:
    one = shipped("1", AT)
    assert ids(report(one, as_of=datetime(2026, 11, 2, 11, 59, tzinfo=UTC))) == []
    assert ids(report(one, as_of=datetime(2026, 11, 2, 12, tzinfo=UTC))) == ["1"]


def test_in_order_of_shipping() -> None:
    assert ids(report(shipped("a", AT + HOUR), shipped("c", AT), shipped("b", AT))) == ["b", "c", "a"]


def test_filters() -> None:
    lines = [
        shipped("1", AT),
        shipped("2", AT, marketplace="FR", category="Toys"),
        shipped("3", AT, carrier="Made Up Post"),
        shipped("4", AT, carrier=None),
        tracked("4", AT, tracking_number=None, carrier="gls"),
    ]
    assert ids(report(*lines)) == ["1", "2", "3", "4"]
    assert ids(report(*lines, marketplace="A13V1IB3VIYZZH")) == ["2"]
    assert ids(report(*lines, category="Home")) == ["1", "3", "4"]
    assert ids(report(*lines, carrier="DHL Germany")) == ids(report(*lines, carrier="dhl")) == ["1", "2"]
    assert ids(report(*lines, carrier="made up post ")) == ["3"]
    assert ids(report(*lines, carrier="GLS")) == ["4"]
    none = report(*lines, category="home")
    assert (none.defects, none.counts.counted, none.counts.vtr) == ([], 0, None)
    assert report(*lines, carrier="GLS").counts.counted == 1


def test_windows() -> None:
    late = shipped("1", AT - timedelta(days=40), event_time=AT, promised_delivery_by=AT - timedelta(days=20))
    new = shipped("2", AT)
    assert ids(report(late, new)) == ["2"]
    official = report(late, new, window="official")
    assert ids(official) == ["1"]
    assert (official.from_, official.to) == (datetime(2026, 9, 26, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC))

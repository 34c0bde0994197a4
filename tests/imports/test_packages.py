"""Which rows are one package, which a correction, and which cannot be told apart."""

import pytest

from tests.imports.files import (
    ITEM,
    NUMBER,
    ORDER,
    OTHER_ITEM,
    OTHER_NUMBER,
    Imports,
    api,
    api_order,
    feed_row,
    flat,
    order_row,
    package,
    reasons,
    scans,
    shipped,
    uploads,
)

THIRD, SIXTH = "2026-11-03T18:00:00Z", "2026-11-06T09:00:00Z"


def test_a_whole_order_is_one_package(imports: Imports) -> None:
    done = imports(flat([order_row(), order_row(order_item_id=OTHER_ITEM)]), flat([feed_row()]))
    (event,) = shipped(done)
    assert event.shipment_id == ORDER
    assert event.order_value is not None
    assert str(event.order_value.amount) == "99.80"
    assert uploads(done) == [("11-03 12:00", ORDER, NUMBER)]


def test_items_with_one_number_are_one_package(imports: Imports) -> None:
    rows = [feed_row(order_item_id=OTHER_ITEM), feed_row(order_item_id=ITEM)]
    done = imports(flat([order_row(), order_row(order_item_id=OTHER_ITEM)]), flat(rows))
    assert uploads(done) == [("11-03 12:00", f"{ORDER}-{ITEM}", NUMBER)]


def test_items_with_two_numbers_are_two_packages_with_their_own_values(imports: Imports) -> None:
    orders = [order_row(item_price="30.00"), order_row(order_item_id=OTHER_ITEM, item_price="10.00")]
    rows = [feed_row(order_item_id=ITEM), feed_row(order_item_id=OTHER_ITEM, tracking_number=OTHER_NUMBER)]
    done = imports(flat(orders), flat(rows))
    values = {event.shipment_id: event.order_value and str(event.order_value.amount) for event in shipped(done)}
    assert values == {f"{ORDER}-{ITEM}": "30.00", f"{ORDER}-{OTHER_ITEM}": "10.00"}


def test_units_of_one_item_that_fit_are_packages_of_their_own(imports: Imports) -> None:
    rows = [
        feed_row(order_item_id=ITEM, quantity=1),
        feed_row(order_item_id=ITEM, quantity=2, tracking_number=OTHER_NUMBER),
    ]
    done = imports(flat([order_row(quantity_purchased=3, item_price="30.00")]), flat(rows))
    assert {(event.shipment_id, str(event.order_value and event.order_value.amount)) for event in shipped(done)} == {
        (f"{ORDER}-{ITEM}", "30.00"),
        (f"{ORDER}-{ITEM}-2", "30.00"),
    }


def test_a_part_of_an_item_is_worth_its_share_rounded_up(imports: Imports) -> None:
    orders = [order_row(quantity_purchased=3, item_price="10.00"), order_row(order_item_id=OTHER_ITEM)]
    done = imports(flat(orders), flat([feed_row(order_item_id=ITEM, quantity=1)]))
    assert [str(event.order_value and event.order_value.amount) for event in shipped(done)] == ["3.34"]


def test_a_later_upload_corrects(imports: Imports) -> None:
    first, second = feed_row(order_item_id=ITEM), feed_row(order_item_id=ITEM, tracking_number=OTHER_NUMBER)
    done = imports(flat([order_row()]), (flat([second]), SIXTH), (flat([first]), THIRD))
    assert uploads(done) == [
        ("11-03 18:00", f"{ORDER}-{ITEM}", NUMBER),
        ("11-06 09:00", f"{ORDER}-{ITEM}", OTHER_NUMBER),
    ]
    assert len(shipped(done)) == 1


def test_units_that_do_not_fit_are_a_correction(imports: Imports) -> None:
    first = feed_row(order_item_id=ITEM, quantity=2)
    second = feed_row(order_item_id=ITEM, quantity=2, tracking_number=OTHER_NUMBER)
    done = imports(flat([order_row(quantity_purchased=3)]), (flat([first]), THIRD), (flat([second]), SIXTH))
    assert [number for _, _, number in uploads(done)] == [NUMBER, OTHER_NUMBER]
    assert len(shipped(done)) == 1


@pytest.mark.parametrize(
    ("cell", "blank_removes", "numbers"),
    [
        ("NULL", True, [NUMBER, None]),
        ("NULL", False, [NUMBER, None]),
        ("", True, [NUMBER, None]),
        ("", False, [NUMBER]),
    ],
)
def test_a_number_is_taken_back(imports: Imports, cell: str, blank_removes: bool, numbers: list[str | None]) -> None:
    again = flat([feed_row(tracking_number=cell)])
    done = imports(flat([order_row()]), (flat([feed_row()]), THIRD), (again, SIXTH), blank_removes=blank_removes)
    assert [number for _, _, number in uploads(done)] == numbers


def test_two_numbers_at_one_time_are_not_guessed(imports: Imports) -> None:
    done = imports(flat([order_row()]), flat([feed_row(), feed_row(tracking_number=OTHER_NUMBER)]))
    assert len(uploads(done)) == 1
    ((line, _, reason),) = reasons(done)
    assert line == 3
    assert "another number of the same package at the same time" in reason


def test_a_number_and_a_blank_at_one_time_are_the_number(imports: Imports) -> None:
    done = imports(flat([order_row()]), flat([feed_row(tracking_number="", carrier_code=""), feed_row()]))
    assert [number for _, _, number in uploads(done)] == [NUMBER]
    assert done.rejects == []


def test_the_whole_order_after_several_packages_is_not_guessed(imports: Imports) -> None:
    rows = [feed_row(order_item_id=ITEM), feed_row(order_item_id=OTHER_ITEM, tracking_number=OTHER_NUMBER)]
    whole = (flat([feed_row(tracking_number="00340434161094042564")]), SIXTH)
    done = imports(flat([order_row(), order_row(order_item_id=OTHER_ITEM)]), (flat(rows), THIRD), whole)
    assert len(shipped(done)) == 2
    assert [reason for _, _, reason in reasons(done)] == [
        "it is about items of several packages, and nothing tells which of them it means"
    ]


def test_the_api_names_its_packages(imports: Imports) -> None:
    done = imports(api(api_order(package("1", units=1), package("2", OTHER_NUMBER, units=1), units=2)))
    assert sorted(uploads(done)) == [
        ("11-03 09:00", f"{ORDER}-{ITEM}", NUMBER),
        ("11-03 09:00", f"{ORDER}-{ITEM}-2", OTHER_NUMBER),
    ]


def test_the_api_and_the_feed_are_about_one_package(imports: Imports) -> None:
    feed = flat([feed_row(ship_method="Paket")])
    for given, entered in ((feed, "11-03 09:00"), ((feed, THIRD), "11-03 18:00")):
        done = imports(api(api_order(package())), given)
        (event,) = shipped(done)
        assert event.ship_method == "Paket"
        assert f"{event.shipped_at:%m-%d %H:%M}" == "11-03 15:00"
        assert uploads(done) == [(entered, ORDER, NUMBER)]


def test_what_the_api_shows_later_was_entered_by_then(imports: Imports) -> None:
    """A number that was missing when the parcel had been delivered is late."""
    before = api(api_order(package(number=None, status="DELIVERED"), updated="2026-11-05T10:00:00Z"))
    after = api(api_order(package(status="DELIVERED"), updated="2026-11-07T10:00:00Z"))
    done = imports(after, before)
    assert [(at, number) for at, _, number in uploads(done)] == [("11-07 10:00", NUMBER)]
    assert scans(done) == [("11-05 10:00", "delivered")]


def test_the_api_overrules_a_number_of_an_earlier_feed(imports: Imports) -> None:
    feed = (flat([feed_row(tracking_number=OTHER_NUMBER)]), THIRD)
    done = imports(api(api_order(package())), feed)
    assert [(at, number) for at, _, number in uploads(done)] == [("11-03 18:00", OTHER_NUMBER), ("11-04 10:00", NUMBER)]


def test_a_feed_adds_a_package_to_what_the_api_showed_before(imports: Imports) -> None:
    row = feed_row(order_item_id=ITEM, quantity=1, tracking_number=OTHER_NUMBER)
    shown = api(api_order(package(), units=2, fulfillment={"fulfillmentStatus": "PARTIALLY_SHIPPED"}))
    done = imports(shown, (flat([row]), SIXTH))
    assert uploads(done) == [
        ("11-03 09:00", f"{ORDER}-{ITEM}", NUMBER),
        ("11-06 09:00", f"{ORDER}-{ITEM}-2", OTHER_NUMBER),
    ]
    done = imports(shown, (flat([row]), THIRD))
    assert [number for _, _, number in uploads(done)] == [OTHER_NUMBER, NUMBER]
    assert len(shipped(done)) == 1


def test_a_label_that_was_cancelled_is_replaced_by_what_a_feed_says(imports: Imports) -> None:
    void = package(status="LABEL_CANCELLED")
    done = imports(api(api_order(void)), (flat([feed_row(order_item_id=ITEM, tracking_number=OTHER_NUMBER)]), SIXTH))
    assert uploads(done) == [("11-06 09:00", f"{ORDER}-{ITEM}", OTHER_NUMBER)]
    assert imports(api(api_order(void)), (flat([feed_row(order_item_id=ITEM)]), SIXTH)).events == []


@pytest.mark.parametrize("status", ["CANCELLED", "PENDING"])
def test_a_package_that_was_never_sent_gives_no_event(imports: Imports, status: str) -> None:
    void = package()
    void["packageStatus"] = {"status": status}
    del void["shipTime"]
    done = imports(api(api_order(void, fulfillment={"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"})))
    assert done.events == []
    assert done.left == {"not shipped": 1}


def test_a_lost_package_was_not_scanned_for_sure(imports: Imports) -> None:
    assert scans(imports(api(api_order(package(status="LOST"))))) == [("11-04 10:00", "in_transit")]
    lost = package(status="LOST")
    lost["packageStatus"]["status"] = "SHIPPED"
    assert scans(imports(api(api_order(lost)))) == []

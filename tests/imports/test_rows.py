"""Rows of flat files and orders of the API: what is read from them, and what is wrong with those that are rejected."""

import pytest

from stream.imports import ImportFailedError
from tests.imports.files import (
    NUMBER,
    ORDER,
    Imports,
    Row,
    all_orders_row,
    api,
    api_order,
    feed_row,
    flat,
    order_row,
    package,
    reasons,
    shipped,
    uploads,
)


def value(row: Row, imports: Imports) -> str | None:
    (event,) = shipped(imports(flat([row]), flat([feed_row()])))
    return None if event.order_value is None else f"{event.order_value.amount} {event.order_value.currency}"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (all_orders_row(), "49.90 EUR"),
        (all_orders_row(item_tax="7.97", shipping_price="4.99", shipping_tax="0.80"), "46.12 EUR"),
        (all_orders_row(item_promotion_discount="-5.00", ship_promotion_discount="1.00"), "43.90 EUR"),
        (
            all_orders_row(sales_channel="Amazon.com", currency="USD", item_tax="4.00", shipping_price="3.00"),
            "52.90 USD",
        ),
        (all_orders_row(sales_channel="Amazon.co.jp", currency="JPY", item_price="1500"), "1500.00 JPY"),
        (all_orders_row(item_price=""), None),
        (all_orders_row(currency=""), None),
        (order_row(item_tax="7.97", shipping_price="4.99"), "46.92 EUR"),
    ],
)
def test_the_value_is_without_tax_and_with_shipping(row: Row, expected: str | None, imports: Imports) -> None:
    assert value(row, imports) == expected


def test_the_value_is_that_of_the_latest_version_of_an_order(imports: Imports) -> None:
    old = all_orders_row(last_updated_date="2026-11-02T11:00:00+00:00", item_price="10.00")
    done = imports(flat([old, all_orders_row(item_price="20.00")]), flat([feed_row()]))
    assert [str(event.order_value and event.order_value.amount) for event in shipped(done)] == ["20.00"]


def test_an_item_that_was_cancelled_takes_no_value_from_the_others(imports: Imports) -> None:
    rows = [all_orders_row(item_price="9.90"), all_orders_row(sku="SKU-2", quantity=0, item_price="", currency="")]
    done = imports(flat(rows), flat([feed_row()]))
    assert [str(event.order_value and event.order_value.amount) for event in shipped(done)] == ["9.90"]


def test_a_price_that_is_missing_leaves_no_value_rather_than_a_low_one(imports: Imports) -> None:
    rows = [all_orders_row(item_price="2.00"), all_orders_row(sku="SKU-2", item_price="")]
    assert [event.order_value for event in shipped(imports(flat(rows), flat([feed_row()])))] == [None]


def test_the_better_source_holds(imports: Imports) -> None:
    texts = flat([all_orders_row(ship_country="AT")]), flat([order_row(ship_country="CH")]), flat([feed_row()])
    assert [event.ship_to for event in shipped(imports(*texts))] == ["CH"]


def test_what_no_file_tells_is_assumed(imports: Imports) -> None:
    rows = flat([feed_row()])
    assert reasons(imports(rows)) == [(2, "", "no file tells the order's marketplace: give --marketplace")]
    (event,) = shipped(imports(rows, marketplace="FR", ship_from="ES", delivery_days=3))
    assert (event.marketplace, event.ship_from, event.ship_to, event.category) == ("FR", "ES", None, "unknown")
    assert f"{event.promised_delivery_by:%m-%d %H}" == "11-06 12"
    (event,) = shipped(imports(rows, marketplace="FR"))
    assert event.promised_delivery_by is None


def test_the_carriers_name_stands_for_the_code_other(imports: Imports) -> None:
    for code, expected in (("Other", "Bote"), ("other", "Bote"), ("", "Bote"), ("DHL", "DHL")):
        (event,) = shipped(imports(flat([feed_row(carrier_code=code, carrier_name="Bote")]), marketplace="DE"))
        assert event.carrier == expected
    (event,) = shipped(imports(flat([feed_row(carrier_code="Other", carrier_name="")]), marketplace="DE"))
    assert event.carrier == "Other"


def test_a_template_has_lines_above_its_header(imports: Imports) -> None:
    template = "TemplateType=OrderFulfillment\tVersion=2011.1102\t\r\n注文番号\t出荷日\t\r\n" + flat(
        [feed_row(ship_date="")]
    )
    done = imports(template)
    assert done.files[0].report == "fulfilment_feed"
    assert reasons(done) == [(4, "ship-date", "it is blank")]


def test_quotes_are_those_of_a_spreadsheet_or_of_the_text(imports: Imports) -> None:
    rows = flat([feed_row(carrier_code='"DHL"', ship_method='"Paket ""Plus"""')])
    (event,) = shipped(imports(rows, marketplace="DE"))
    assert (event.carrier, event.ship_method) == ("DHL", 'Paket "Plus"')
    (event,) = shipped(imports(flat([feed_row(ship_method='6" box')]), marketplace="DE"))
    assert event.ship_method == '6" box'


def test_the_rest_goes_on(imports: Imports) -> None:
    good = "028-7777777-7777777"
    rows = [
        feed_row(order_id="#N/A"),
        feed_row(ship_date="yesterday"),
        feed_row(quantity="one"),
        feed_row(order_item_id="5.55E+13"),
        feed_row(ship_from_address_countrycode="Deutschland"),
        feed_row(order_id=good),
    ]
    text = flat(rows) + "\t".join(["x"] * 9) + "\r\n"
    done = imports(text, flat([order_row(order_id=good)]))
    assert [(line, column) for line, column, _ in reasons(done)] == [
        (2, "order-id"),
        (3, "ship-date"),
        (4, "quantity"),
        (5, "order-item-id"),
        (6, "ship-from-address-countrycode"),
        (8, ""),
    ]
    assert [event.order_id for event in shipped(done)] == [good]
    assert all(reject.row for reject in done.rejects)


def test_a_wrong_year_is_rejected_as_a_replay_would(imports: Imports) -> None:
    done = imports((flat([feed_row(ship_date="2006-11-03")]), "2026-11-03T18:00:00Z"), marketplace="DE")
    ((line, _, reason),) = reasons(done)
    assert line == 2
    assert "order-shipped: 2006-11-03T12:00:00+00:00 does not fit `event_time`" in reason


@pytest.mark.parametrize(
    ("row", "left"),
    [
        (all_orders_row(order_status="Cancelled"), {"cancelled": 1}),
        (all_orders_row(order_status="Unshipped"), {"not shipped": 1}),
        (all_orders_row(sales_channel="Non-Amazon"), {"not of the marketplace": 1}),
        (all_orders_row(order_status="Pending", fulfillment_channel="Amazon"), {"not shipped": 1}),
    ],
)
def test_what_rightly_gives_no_event(row: Row, left: dict[str, int], imports: Imports) -> None:
    done = imports(flat([row]))
    assert (done.events, done.left, done.rejects) == ([], left, [])


def test_a_cancelled_order_that_was_confirmed_is_named(imports: Imports) -> None:
    done = imports(flat([all_orders_row(order_status="Cancelled")]), flat([feed_row()]))
    assert done.events == []
    assert reasons(done) == [(2, "", "the order was cancelled: it counts nowhere")]


def test_a_shipped_order_without_a_word_on_its_packages_is_named(imports: Imports) -> None:
    done = imports(flat([all_orders_row()]))
    assert done.events == []
    ((line, _, reason),) = reasons(done)
    assert line == 2
    assert "no file tells when and with which tracking" in reason


def test_what_the_marketplace_fulfils_has_no_packages(imports: Imports) -> None:
    (event,) = shipped(imports(flat([all_orders_row(fulfillment_channel="Amazon")])))
    assert (event.fulfilled_by, event.shipment_id) == ("marketplace", ORDER)
    assert f"{event.shipped_at:%m-%d %H}" == "11-03 16"


def test_categories_are_by_sku(imports: Imports) -> None:
    categories = flat([{"SKU": "SKU-1", "Category": "Toys"}])
    assert [event.category for event in shipped(imports(flat([order_row()]), flat([feed_row()]), categories))] == [
        "Toys"
    ]
    assert [event.category for event in shipped(imports(api(api_order(package())), categories))] == ["Toys"]


def test_a_continued_row_of_the_order_report_is_nothing(imports: Imports) -> None:
    rows = [order_row(item_promotion_id=""), {"item-promotion-id": "PAWS-V2-1"}]
    done = imports(flat(rows), flat([feed_row()]))
    assert (done.shipments, done.rejects) == (1, [])


# --- The Orders API --------------------------------------------------------------------------------------------------


def test_the_api_in_all_its_shapes(imports: Imports) -> None:
    order = api(api_order(package()))
    whole = order.removeprefix('{\n "orders": ').removesuffix("\n}")
    line = " ".join(whole.strip()[1:-1].split())
    for text in (order, f"[{order}, {order}]", whole, f'{{"order": {line}}}', f"{line}\n{line}\n"):
        assert [number for _, _, number in uploads(imports(text))] == [NUMBER]


def test_a_bad_order_is_named_by_its_place(imports: Imports) -> None:
    other = "028-7777777-7777777"
    bad = package()
    bad["shipTime"] = "soon"
    done = imports(api(api_order(bad), api_order(package(), orderId=other)))
    assert [event.order_id for event in shipped(done)] == [other]
    ((line, column, reason),) = reasons(done)
    assert (line, column) == (4, "orders[0].packages[].shipTime")
    assert "`soon` is not a date" in reason


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"payload": {"Orders": []}}', "Orders API v0"),
        ('{"performanceMetrics": []}', "vtr reconcile"),
        ('{"a": 1}', "not what the Orders API"),
        ('{"a": ', "no JSON"),
        ("[" * 100_000, "nested too deep"),
        ("a\tb\n1\t2\n", "cannot tell what"),
        ("", "cannot tell what"),
    ],
)
def test_files_of_another_kind(text: str, problem: str, imports: Imports) -> None:
    with pytest.raises(ImportFailedError, match=problem):
        imports(text)

"""The same facts are the same events, in whatever order and pieces they come."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given
from hypothesis import strategies as st

from stream.events import encode
from stream.imports import Assumptions, Imported, import_files
from tests.imports.files import (
    ITEM,
    NUMBER,
    OTHER_ITEM,
    OTHER_NUMBER,
    SAMPLE_FILES,
    SAMPLES,
    SELLER,
    Imports,
    Row,
    all_orders_row,
    api,
    api_order,
    feed_row,
    flat,
    order_row,
    package,
)
from tests.test_engine_properties import examples

ITEMS = st.sampled_from(["", ITEM, OTHER_ITEM])
NUMBERS = st.sampled_from(["", "NULL", NUMBER, OTHER_NUMBER, "N/A"])
TIMES = st.sampled_from(["", "2026-11-03T18:00:00Z", "2026-11-05T18:00:00Z"])
ORDERS = st.sampled_from(["028-1111111-1111111", "028-2222222-2222222"])

feed_rows = st.builds(
    feed_row,
    order_id=ORDERS,
    order_item_id=ITEMS,
    quantity=st.sampled_from(["", 1, 2]),
    ship_date=st.sampled_from(["2026-11-03", "2026-11-04", "03-04-2026"]),
    tracking_number=NUMBERS,
    carrier_code=st.sampled_from(["", "DHL", "UPS"]),
)
order_rows = st.builds(
    order_row,
    order_id=ORDERS,
    order_item_id=st.sampled_from([ITEM, OTHER_ITEM]),
    quantity_purchased=st.sampled_from([1, 3]),
    item_price=st.sampled_from(["", "10.00", "19.99"]),
    latest_delivery_date=st.sampled_from(["", "2026-11-08"]),
)
all_orders_rows = st.builds(
    all_orders_row,
    amazon_order_id=ORDERS,
    last_updated_date=st.sampled_from(["2026-11-03T16:00:00+00:00", "2026-11-04T16:00:00+00:00"]),
    order_status=st.sampled_from(["Shipped", "Shipped", "Cancelled", "Unshipped"]),
    fulfillment_channel=st.sampled_from(["Merchant", "Merchant", "Amazon"]),
    item_price=st.sampled_from(["", "10.00"]),
)
packages = st.builds(
    package,
    st.sampled_from(["1", "2"]),
    st.sampled_from([None, NUMBER, OTHER_NUMBER]),
    st.sampled_from([ITEM, OTHER_ITEM]),
    status=st.sampled_from(["PICKED_UP", "DELIVERED", "CANCELLED"]),
)
api_orders = st.builds(
    lambda order, parts, updated: api_order(*parts, orderId=order, updated=updated),
    ORDERS,
    st.lists(packages, max_size=2),
    st.sampled_from(["2026-11-04T10:00:00Z", "2026-11-06T10:00:00Z"]),
)


def written(rows: list[tuple[str, str, Row]], pieces: int) -> list[str | tuple[str, str]]:
    """The rows, each of a kind and uploaded at a time, dealt to so many files of each kind."""
    kinds = sorted({(kind, time) for kind, time, _ in rows})
    texts: list[str | tuple[str, str]] = []
    for kind, time in kinds:
        own = [row for each, at, row in rows if (each, at) == (kind, time)]
        for piece in range(pieces):
            part = own[piece::pieces]
            if part:
                text = api(*part) if kind == "api" else flat(part)
                texts.append((text, time) if time else text)
    return texts


def reasons(imported: Imported) -> list[str]:
    """Why rows were rejected, without the places of others that are named."""
    return sorted(re.sub(r"\S+:\d+ ", "", reject.reason) for reject in imported.rejects)


@given(data=st.data())
@examples(30)
def test_any_order_and_any_pieces(data: st.DataObject) -> None:
    rows = [
        *(("feed", data.draw(TIMES), row) for row in data.draw(st.lists(feed_rows, max_size=6))),
        *(("report", "", row) for row in data.draw(st.lists(order_rows, max_size=3))),
        *(("all", "", row) for row in data.draw(st.lists(all_orders_rows, min_size=1, max_size=3))),
        *(("api", "", row) for row in data.draw(st.lists(api_orders, max_size=2))),
    ]
    shuffled = data.draw(st.permutations(rows))
    texts = data.draw(st.permutations(written(shuffled, data.draw(st.sampled_from([1, 2, 3])))))
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        plain = Imports(Path(folder))(*written(rows, 1))
        mixed = Imports(Path(other))(*texts)
        twice = Imports(Path(other))(*texts, *written(rows, 1))
    event(f"{min(len(plain.events), 4)} events, {min(len(plain.rejects), 2)} rejects or more")
    assert list(map(encode, mixed.events)) == list(map(encode, plain.events))
    assert list(map(encode, twice.events)) == list(map(encode, plain.events))
    assert reasons(mixed) == reasons(plain)
    assert (mixed.orders, mixed.shipments, mixed.left) == (plain.orders, plain.shipments, plain.left)


def test_samples_backwards() -> None:
    files = [str(SAMPLES / file) for file in SAMPLE_FILES]
    forwards = import_files(files, SELLER, Assumptions())
    backwards = import_files([*files[::-1], *files], SELLER, Assumptions())
    assert list(map(encode, forwards.events)) == list(map(encode, backwards.events))

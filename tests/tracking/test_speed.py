"""Every uploaded number is judged, so the common case must stay cheap: compared with a plain call, not with a clock."""

from collections.abc import Callable
from random import Random
from timeit import repeat

from stream.simulator.carriers import PARCELS
from stream.tracking import Carrier, number_problem, resolve_carrier

PLAIN_CALLS = 60
"""What a number may cost; measured 26 on CPython 3.11, which is below a microsecond."""

Shipment = tuple[str, Carrier | None, str]


def plain(number: str, carrier: Carrier | None, order_id: str) -> None:
    """What a call costs at least."""


def shipments() -> list[Shipment]:
    """Numbers as they come: of all carriers, some in lower case or with spaces, some mistyped, some placeholders."""
    random = Random(7)  # noqa: S311
    countries = list(PARCELS.values())
    found: list[Shipment] = []
    for _ in range(500):
        carrier = random.choice(countries).pick(random.random())
        number = carrier.number(random.randrange(100_000, 1_000_000), random.randrange(10_000_000))
        order_id = f"{random.randrange(1000):03}-{random.randrange(10**7):07}-{random.randrange(10**7):07}"
        habit = random.random()
        if habit < 0.01:
            number = random.choice(["N/A", order_id, "0000000000"])
        elif habit < 0.015:
            number = number[2:]
        elif habit < 0.025:
            number = f" {number.lower()}"
        found.append((number, resolve_carrier(carrier.name), order_id))
    return found


def seconds(judge: Callable[[str, Carrier | None, str], object], of: list[Shipment]) -> float:
    def run() -> None:
        for number, carrier, order_id in of:
            judge(number, carrier, order_id)

    return min(repeat(run, number=1, repeat=30))


def test_a_number_costs_little_more_than_some_calls() -> None:
    of = shipments()
    assert seconds(number_problem, of) < PLAIN_CALLS * seconds(plain, of)

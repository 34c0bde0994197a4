"""The packages of one order, from all that was said of them: split shipments, corrections, and what cannot be told.

A feed does not name packages. Its rows are taken for one package where they say the same of different items; a row with
a number that is known is about that package; one about items that are confirmed already is another package where its
units fit into what was ordered, else a correction. The Orders API names its packages, and what it has seen it knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct, field

from stream.events import Milestone
from stream.imports.facts import Confirmed, Place, Reject
from stream.tracking.numbers import compact

Units = Mapping[str, int | None]
"""Units by item id; None where that is not known."""


class Said(NamedTuple):
    """What was said of a package, and where."""

    confirmed: Confirmed
    place: Place


class Package(Struct):
    """All that was said of one package. ``items`` are empty where it is the whole order."""

    items: dict[str, int | None]
    said: list[Said] = field(default_factory=list)

    @property
    def numbers(self) -> set[str]:
        """Every number it has ever had."""
        return {compact(each.number) for each, _ in self.said if each.number is not None}


class Entered(NamedTuple):
    """A tracking number was entered, or taken back (None), or got another carrier."""

    at: datetime
    number: str | None
    carrier: str | None


def packages_of(said: Mapping[Confirmed, Place], ordered: Units) -> tuple[list[Package], list[Reject]]:
    """The packages of an order whose items have the units ``ordered``, and what cannot be put to any."""
    packages = _of_api(said)
    rejects: list[Reject] = []
    for each in _grouped(said):
        reason = _put(each, packages, ordered)
        if reason is not None:
            rejects.append(Reject(each.place, reason, ""))
    return [package for package in packages if not _is_void(package)], rejects


def _of_api(said: Mapping[Confirmed, Place]) -> list[Package]:
    by_reference: dict[str, list[Said]] = defaultdict(list)
    for confirmed, place in said.items():
        if confirmed.reference is not None:
            by_reference[confirmed.reference].append(Said(confirmed, place))
    packages = []
    for _, snapshots in sorted(by_reference.items(), key=lambda item: (len(item[0]), item[0])):
        snapshots.sort(key=_when)
        packages.append(Package(dict(snapshots[-1].confirmed.items), snapshots))
    return packages


def _is_void(package: Package) -> bool:
    snapshots = [each for each, _ in package.said if each.reference is not None]
    return bool(snapshots) and max(snapshots, key=lambda each: (each.at, each.content)).is_void


def _grouped(said: Mapping[Confirmed, Place]) -> list[Said]:
    """The rows of feeds, those that say the same of different items as one, in the order in which they were said."""
    groups: dict[Confirmed, list[Said]] = defaultdict(list)
    for confirmed, place in said.items():
        if confirmed.reference is None:
            # Rows for the whole order and rows for items are never one package.
            groups[confirmed._replace(items=(("", None),) if confirmed.items else ())].append(Said(confirmed, place))
    grouped = []
    for confirmed, rows in groups.items():
        units: dict[str, int | None] = {}
        for item_id, n in sorted({item for row in rows for item in row.confirmed.items}, key=str):
            known = units.get(item_id, 0)
            units[item_id] = None if n is None or known is None else known + n
        grouped.append(Said(confirmed._replace(items=tuple(sorted(units.items()))), min(row.place for row in rows)))
    return sorted(grouped, key=_when)


def _when(said: Said) -> tuple[datetime, bool, tuple[str, ...]]:
    # Of what was said at one time a number holds rather than none.
    return said.confirmed.at, said.confirmed.number is None, said.confirmed.content


# --- Which package a row is about ------------------------------------------------------------------------------------


def _put(said: Said, packages: list[Package], ordered: Units) -> str | None:
    """Put a row to its package, or to a new one. Returns why it cannot be done."""
    confirmed = said.confirmed
    number = None if confirmed.number is None else compact(confirmed.number)
    same_number = [package for package in packages if number is not None and number in package.numbers]
    if same_number:
        _add(said, same_number[0])
        return None
    packages_sent = [package for package in packages if not _is_void(package)]
    sharing = [package for package in packages_sent if _share(confirmed, package)]
    if not sharing or _fits(confirmed, packages_sent, ordered):
        packages.append(Package(dict(confirmed.items), [said]))
        return None
    if len(sharing) > 1:
        sharing = [package for package in sharing if package.items == dict(confirmed.items)]
    if len(sharing) != 1:
        return "it is about items of several packages, and nothing tells which of them it means"
    (package,) = sharing
    rival = next((other for other in package.said if _contradicts(confirmed, other.confirmed)), None)
    if rival is not None and confirmed.number is None and not confirmed.removes:
        return None  # beside a number a blank says nothing
    if rival is not None:
        where = f"{rival.place.file}:{rival.place.line}"
        return f"{where} says another number of the same package at the same time: give the later file as FILE@TIME"
    _add(said, package)
    return None


def _add(said: Said, package: Package) -> None:
    package.said.append(said)
    if package.items and all(each.reference is None for each, _ in package.said):
        # A correction may name fewer or other items; a package keeps those that it was confirmed with.
        package.items |= {item: n for item, n in said.confirmed.items if item not in package.items}


def _share(confirmed: Confirmed, package: Package) -> bool:
    """Whether both can be the same package: the whole order shares items with every package."""
    return not confirmed.items or not package.items or not package.items.keys().isdisjoint(dict(confirmed.items))


def _fits(confirmed: Confirmed, packages: Iterable[Package], ordered: Units) -> bool:
    """Whether the units can be others than those of the packages known, so that it is a package of its own.

    It is none where the API has shown all packages of the order later.
    """
    shown = [each.at for package in packages for each, _ in package.said if each.reference is not None]
    if not confirmed.items or (shown and max(shown) >= confirmed.at):
        return False
    for item_id, n in confirmed.items:
        holders = [package for package in packages if item_id in package.items or not package.items]
        held = [package.items.get(item_id) for package in holders]
        if n is None or None in held:
            return False
        total = ordered.get(item_id)
        if total is not None:
            if n + sum(each or 0 for each in held) > total:
                return False
        elif any(other.at != confirmed.at for package in holders for other, _ in package.said):
            return False
    return True


def _contradicts(one: Confirmed, other: Confirmed) -> bool:
    """Whether two rows say different numbers at the same time: then nothing tells which corrects which."""
    return (
        one.at == other.at
        and one.is_assumed == other.is_assumed
        and (other.reference is None and one.number != other.number)
    )


# --- What became of its tracking -------------------------------------------------------------------------------------


def entries_of(package: Package, *, blank_removes: bool) -> list[Entered]:
    """When its numbers were entered, changed and taken back, in order.

    What the first thing said is was so when the package was created, unless a feed is known to have said it later. The
    API shows only what holds: what it shows instead of something else was entered by then.
    """
    entries: list[Entered] = []
    current: tuple[str | None, str | None] = (None, None)
    created_at = min((each.created_at for each, _ in package.said if each.created_at is not None), default=None)
    for place, (confirmed, _) in enumerate(sorted(package.said, key=_when)):
        if confirmed.number is None and not confirmed.removes and not blank_removes:
            continue
        new = confirmed.number, confirmed.carrier if confirmed.number is not None else None
        if new == current:
            continue
        is_since_created = place == 0 and (confirmed.is_assumed or confirmed.reference is not None)
        at = created_at if is_since_created and created_at is not None else confirmed.at
        entries.append(Entered(at, *new))
        current = new
    return entries


def scans_of(package: Package) -> dict[Milestone, datetime]:
    """The milestones that the API has shown, each by the earliest time at which it did."""
    scans: dict[Milestone, datetime] = {}
    for confirmed, _ in package.said:
        if confirmed.scan is not None:
            scans[confirmed.scan] = min(confirmed.at, scans.get(confirmed.scan, confirmed.at))
    return scans

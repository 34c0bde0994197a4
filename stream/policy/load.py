"""Reads the rules: the files in ``rules/``, and a user's own file over them. What is wrong in one is one line."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from stream.places import canonical_country, canonical_marketplace
from stream.policy.conditions import Conditions
from stream.policy.error import PolicyError
from stream.policy.model import Entry, Exemption, Family, FamilyTable
from stream.tracking import resolve_carrier

RULES_FOLDER = Path(__file__).with_name("rules")
SOURCES_FILE = Path(__file__).with_name("sources.toml")

DEFAULT = "default"
"""The family that marketplaces and days without rules of their own fall to."""

_DAY = timedelta(days=1)
_FAMILY_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RULE_LISTS = ("exempt", "ambiguous", "scans")
_COUNTRY_KEYS = ("between", "not_between", "ship_from", "not_ship_from", "ship_to", "not_ship_to")
_CONDITION_KEYS = Conditions.__struct_fields__


@cache
def known_sources() -> dict[str, str]:
    """The pages that rules name by a short id, by that id."""
    return msgspec.convert(tomllib.loads(SOURCES_FILE.read_text(encoding="utf-8")), dict[str, str])


def load_families(currencies: Iterable[str], file: Path | None = None) -> dict[str, Family]:
    """All families by name: those that come with the product, and a user's file over them.

    ``currencies`` are those that have rates. Raises :class:`PolicyError`.
    """
    known = frozenset(currencies)
    families: dict[str, Family] = {}
    for path in sorted(RULES_FOLDER.glob("*.toml")):
        for name, table in read_tables(path, known).items():
            if name in families:
                raise PolicyError(f"{path.name}, [{name}]: the family is also in {families[name].file}")
            families[name] = _family(path.name, name, table)
    _check_marketplaces(families.values())
    if file is not None:
        families = overlay(families, file.name, read_tables(file, known))
    return families


def read_tables(path: Path, currencies: frozenset[str]) -> dict[str, FamilyTable]:
    """The families of one file, each key of them checked. Raises :class:`PolicyError`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise PolicyError(f"cannot read policy file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path.name}: {error}") from None
    if not document:
        raise PolicyError(f"{path.name}: there are no rules in it")
    return {name: _table(path.name, name, table, currencies) for name, table in document.items()}


def overlay(families: Mapping[str, Family], file: str, tables: Mapping[str, FamilyTable]) -> dict[str, Family]:
    """The families with a user's over them: entries of the same ``from`` are replaced, others are put between.

    A marketplace that one of the user's families names leaves the family that had it.
    """
    merged = dict(families)
    for name, table in tables.items():
        merged[name] = _overlaid(file, name, merged[name], table) if name in merged else _family(file, name, table)
    claimed = {code for name, table in tables.items() if table.marketplaces for code in merged[name].marketplaces}
    for name, family in merged.items():
        if name not in tables or tables[name].marketplaces is None:
            merged[name] = replace(family, marketplaces=tuple(c for c in family.marketplaces if c not in claimed))
    _check_marketplaces(merged.values())
    return merged


def _overlaid(file: str, name: str, family: Family, table: FamilyTable) -> Family:
    added = {entry.first_day for entry in table.rules}
    # Where a new entry begins, the one before it ends, whatever its own file says.
    kept = [replace(entry, until=None) for entry in family.rules if entry.first_day not in added]
    return Family(
        name=name,
        title=table.title or family.title,
        marketplaces=family.marketplaces if table.marketplaces is None else table.marketplaces,
        dated_by=table.dated_by or family.dated_by,
        rules=_dated(file, name, sorted([*kept, *table.rules], key=lambda entry: entry.first_day)),
        file=f"{family.file}, {file}",
    )


def _family(file: str, name: str, table: FamilyTable) -> Family:
    if not table.rules:
        raise PolicyError(f"{file}, [{name}]: there are no `rules`")
    if not table.marketplaces and name != DEFAULT:
        raise PolicyError(f"{file}, [{name}]: there are no `marketplaces`")
    return Family(
        name=name,
        title=table.title or name,
        marketplaces=table.marketplaces or (),
        dated_by=table.dated_by or "ship_time",
        rules=_dated(file, name, table.rules),
        file=file,
    )


def _dated(file: str, name: str, rules: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries with their ends filled in. They must follow each other without gap and overlap."""
    entries = list(rules)
    for number, entry in enumerate(entries):
        where = f"{file}, [{name}] rules[{number}]"
        following = entries[number + 1].from_ if number + 1 < len(entries) else None
        if number and (entry.from_ is None or entry.first_day <= entries[number - 1].first_day):
            raise PolicyError(f"{where}.from: must be after the `from` of the entry before")
        if following is None:
            if entry.until is not None and number + 1 == len(entries):
                raise PolicyError(f"{where}.until: the last entry has none, or later days would have no rules")
            continue
        last = following - _DAY
        if entry.until is not None and entry.until != last:
            problem = "overlaps" if entry.until > last else "leaves a gap before"
            raise PolicyError(f"{where}.until: {entry.until} {problem} the next entry, which is from {following}")
        entries[number] = replace(entry, until=last)
    return tuple(entries)


def _check_marketplaces(families: Iterable[Family]) -> None:
    owners: dict[str, Family] = {}
    for family in families:
        for code in family.marketplaces:
            other = owners.setdefault(code, family)
            if other is not family:
                raise PolicyError(f"{family.file}, [{family.name}] marketplaces: {code} is also in [{other.name}]")


# --- One family's table ----------------------------------------------------------------------------------------------


def _table(file: str, name: str, raw: object, currencies: frozenset[str]) -> FamilyTable:
    where = f"{file}, [{name}]"
    if not _FAMILY_NAME.fullmatch(name):
        raise PolicyError(f"{where}: a family's name is lower-case letters, digits and hyphens")
    if not isinstance(raw, dict):
        raise PolicyError(f"{where}: expected the table of a family, got a single value")
    _canonise(where, raw)
    try:
        table = msgspec.convert(raw, FamilyTable)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{where}: {str(error).replace('`$.', '`')}") from None
    for number, entry in enumerate(table.rules):
        for key, problem in _problems(entry, currencies):
            raise PolicyError(f"{where} rules[{number}].{key}: {problem}")
    return table


def _canonise(where: str, raw: dict[str, object]) -> None:
    """Marketplaces and countries in the codes that shipments have. What has the wrong type is found later."""
    codes = raw.get("marketplaces")
    if isinstance(codes, list):
        raw["marketplaces"] = [canonical_marketplace(code) if isinstance(code, str) else code for code in codes]
    for place, rule in _raw_rules(raw):
        for key in _COUNTRY_KEYS:
            countries = rule.get(key)
            if not isinstance(countries, list):
                continue
            for code in countries:
                if isinstance(code, str) and canonical_country(code) is None:
                    raise PolicyError(f"{where} {place}.{key}: `{code}` is not an ISO 3166 alpha-2 country code")
            rule[key] = [canonical_country(code) if isinstance(code, str) else code for code in countries]


def _raw_rules(raw: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    entries = raw.get("rules")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        for key in _RULE_LISTS:
            rules = entry.get(key) if isinstance(entry, dict) else None
            for index, rule in enumerate(rules if isinstance(rules, list) else ()):
                if isinstance(rule, dict):
                    yield f"rules[{number}].{key}[{index}]", rule


def _problems(entry: Entry, currencies: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The key of what is wrong in an entry, and the problem."""
    share = entry.threshold.share
    if not share.is_finite() or not 0 <= share <= 1:
        yield "threshold.share", f"{share} is not a share from 0 to 1"
    for name, rules in (("exempt", entry.exempt), ("ambiguous", entry.ambiguous), ("scans", entry.scans)):
        for number, rule in enumerate(rules):
            for index, carrier in enumerate(rule.carriers):
                known = resolve_carrier(carrier)
                if known is None or known.name != carrier:
                    meant = "" if known is None else f"; it is called {known.name}"
                    yield f"{name}[{number}].carriers[{index}]", f"`{carrier}` is no known carrier{meant}"
            if rule.value is not None:
                yield from _bound_problems(f"{name}[{number}].value", rule, currencies)
            if isinstance(rule, Exemption) and not has_conditions(rule):
                yield f"{name}[{number}]", "an exemption without conditions would leave out everything"
    for number, scan in enumerate(entry.scans):
        is_last = number + 1 == len(entry.scans)
        if has_conditions(scan) == is_last:
            problem = "the last has no conditions, so that one always applies" if is_last else "no later one can apply"
            yield f"scans[{number}]", problem


def _bound_problems(key: str, rule: Conditions, currencies: frozenset[str]) -> Iterator[tuple[str, str]]:
    bound = rule.bound
    if bound is None:
        yield key, f"`{rule.value}` is no bound such as `< 20 EUR` or `<= 15 EUR`"
    elif bound.currency not in currencies:
        yield key, f"`{bound.currency}` is no currency that has reference rates"


def has_conditions(rule: Conditions) -> bool:
    """Whether the rule asks anything of a shipment."""
    return any(getattr(rule, key) for key in _CONDITION_KEYS)

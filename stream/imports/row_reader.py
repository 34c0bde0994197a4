"""The cells of one row as values, and the one way in which a row fails: by a cell that is named."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from stream.imports import cells
from stream.imports.cells import CellError, DayOrder

T = TypeVar("T")


class BadCellError(Exception):
    """A row that cannot be used because of the cell in ``column``."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class RowReader:
    """Cells by the names of ``fields.toml``, without the blank ones, and the columns that they are from.

    All methods raise :class:`BadCellError`.
    """

    def __init__(self, row: Mapping[str, str], columns: Mapping[str, str], day_order: DayOrder | None) -> None:
        self._row = row
        self._columns = columns
        self._day_order = day_order

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """A cell as ``parse`` reads it, which raises CellError; None for a blank one."""
        cell = self._row.get(name)
        if cell is None:
            return None
        try:
            return parse(cell)
        except CellError as error:
            raise BadCellError(self._columns[name], str(error)) from None

    def required(self, name: str, parse: Callable[[str], T]) -> T:
        """A cell that must not be blank, as ``parse`` reads it."""
        value = self.read(name, parse)
        if value is None:
            raise BadCellError(self._columns[name], "it is blank")
        return value

    def text(self, name: str) -> str | None:
        """A cell as it is; None for a blank one."""
        return self._row.get(name)

    def time(self, name: str, without_time: timedelta = cells.NOON) -> datetime | None:
        """A cell with an instant; a date alone is that UTC day plus ``without_time``."""
        return self.read(name, lambda cell: cells.instant(cell, self._day_order, without_time=without_time))

    def required_time(self, name: str) -> datetime:
        """A cell with an instant that must not be blank."""
        return self.required(name, lambda cell: cells.instant(cell, self._day_order))

    def order_id(self) -> str:
        """The order's id. Amazon's have the form 3-7-7, or begin with S01 for orders of other shops."""
        return self.required("order_id", _order_id)

    def item_id(self) -> str | None:
        """An item's id."""
        return self.read("item_id", _item_id)


def _order_id(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{5,64}", cell, re.ASCII):
        raise CellError(f"`{cell}` is not an order's id such as 028-1234567-7654321")
    return cell


def _item_id(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", cell, re.ASCII):
        raise CellError(f"`{cell}` is not an item's id; spreadsheets round long numbers, so set the column to text")
    return cell

"""Tables for spreadsheets: CSV as a stream of lines, XLSX as a file. No text in them is taken for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO, cast

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

Cell = str | int | Decimal | datetime | None

#: With what a text begins that a spreadsheet would take for a formula, or that it would run on into one.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: So much of a file is kept in memory; what is more goes to the disk.
IN_MEMORY = 2 * 1024 * 1024
#: How wide a column is at most, in letters.
WIDEST = 40


def plain(cell: str) -> str:
    """A text that a spreadsheet would take for a formula is made one that it does not. Numbers stay numbers."""
    if cell[:1] in FORMULA and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(cell: str) -> bool:
    try:
        return Decimal(cell).is_finite()
    except ArithmeticError:
        return False


class _Echo:
    """What is written is returned."""

    def write(self, line: str) -> str:
        return line


def csv_lines(columns: Sequence[str], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """A line at a time, so that a table of any length is never held whole. Moments are in UTC, to the minute."""
    writer = csv.writer(_Echo())
    yield str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow([plain(_text(cell)) for cell in row]))


def _text(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M}"
    return "" if cell is None else str(cell)


def xlsx(title: str, columns: Sequence[str], rows: Iterable[Iterable[Cell]]) -> IO[bytes]:
    """A workbook with one sheet, at its beginning; numbers and moments (UTC) are ones. Close it after use.

    Args:
        title: of the sheet, at most 31 letters.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for place, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(place)].width = min(max(len(column) + 2, 12), WIDEST)
    head = []
    for column in columns:
        cell = WriteOnlyCell(sheet, column)
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    file = cast(IO[bytes], SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - the answer closes it
    book.save(file)
    file.seek(0)
    return file


def _cell(sheet: object, value: Cell) -> object:
    if isinstance(value, str):
        return plain(ILLEGAL_CHARACTERS_RE.sub("", value))
    if isinstance(value, datetime):
        cell = WriteOnlyCell(sheet, value.astimezone(UTC).replace(tzinfo=None))  # spreadsheets know no time zones
        cell.number_format = "yyyy-mm-dd hh:mm"
        return cell
    if isinstance(value, Decimal):
        cell = WriteOnlyCell(sheet, value)
        exponent = value.as_tuple().exponent
        cell.number_format = "#,##0.00" if isinstance(exponent, int) and exponent < 0 else "#,##0"
        return cell
    return value

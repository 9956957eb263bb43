"""Rows of data in two forms: TSV, where nothing is cut, and tables that fit the terminal, where nothing is cut either.

`rich` draws the tables. It is imported only when one is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from orderstate.render.words import folded, plain

if TYPE_CHECKING:
    from rich.console import Console

Cell = str | int | None
Row = Sequence[Cell]

GAP = 2
"""Blank columns between two columns of a drawn table: one of padding, and the box's own divider."""
_NARROWEST = 10
"""A folded column is not made narrower than this; before that, the rows become records."""
_TINTS = {"backordered": "yellow", "inventory_tied": "cyan", "shipping": "blue", "delivered": "green", "wrong": "red"}


class Column(NamedTuple):
    """One column. `number`: to the right. `folds`: may go over several lines. `optional`: drawn only if it says
    something. TSV has every column, in this order and under this name."""

    name: str
    number: bool = False
    folds: bool = False
    optional: bool = False


class Table(NamedTuple):
    """Columns, and rows in their order. `kind` names one row where several tables share one stream."""

    kind: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]


def tsv(row: Row) -> str:
    """One line of tab separated values: no value is the empty text, a tab inside a value becomes `\\t`."""
    return "\t".join("" if cell is None else plain(str(cell)) for cell in row)


def draw(columns: Sequence[Column], rows: Iterable[Row], out: TextIO, width: int) -> None:
    """Draw the rows as a table of at most `width` columns, or where they do not fit as records, one under the other."""
    from rich.cells import cell_len

    texts = [["" if cell is None else plain(str(cell)) for cell in row] for row in rows]
    kept = [n for n, c in enumerate(columns) if not c.optional or any(row[n] for row in texts)]
    shown = [columns[n] for n in kept]
    cells = [[row[n] for n in kept] for row in texts]
    natural = [max([cell_len(column.name), *(cell_len(row[n]) for row in cells)]) for n, column in enumerate(shown)]
    widths = _fit(shown, natural, width - GAP * (len(shown) - 1))
    if widths is None:
        _draw_records(shown, cells, out, width)
    else:
        _draw_table(shown, cells, widths, out, width)


def _fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int] | None:
    """A width for each column: the natural one where all fit, else the widest folding ones get less."""
    widths = list(natural)
    while sum(widths) > width:
        wide = [n for n, column in enumerate(columns) if column.folds and widths[n] > _NARROWEST]
        if not wide:
            return None
        widths[max(wide, key=lambda n: widths[n])] -= 1
    return widths


def _draw_table(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], widths: Sequence[int], out: TextIO, width: int
) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column, wide in zip(columns, widths, strict=True):
        # A fixed width: rich would otherwise take from columns that must not fold.
        table.add_column(
            column.name, justify="right" if column.number else "left", width=wide, overflow="fold", no_wrap=False
        )
    for row in cells:
        table.add_row(*(Text(text, style=_TINTS.get(text, "")) for text in row))
    _console(out, width).print(table)


def _draw_records(columns: Sequence[Column], cells: Sequence[Sequence[str]], out: TextIO, width: int) -> None:
    label = max(len(column.name) for column in columns) + GAP
    for n, row in enumerate(cells):
        if n:
            out.write("\n")
        for column, text in zip(columns, row, strict=True):
            if text or not column.optional:
                lines = folded(text, width, column.name.ljust(label), " " * label)
                out.write("\n".join(lines) + "\n")


def _console(out: TextIO, width: int) -> Console:
    from rich.console import Console

    return Console(file=out, width=width, highlight=False, emoji=False, markup=False)

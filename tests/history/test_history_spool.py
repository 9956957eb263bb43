"""The spool: rows in any order come back as invoices in time order, however many they are."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from orderstate.errors import OrderstateError
from orderstate.store.spool import Holding, Invoice, Spool

Staged = tuple[str, int, int, str | None, str, str, int, int]
ROWS: list[Staged] = [
    ("B", 0, 50, "1", "US", "MUG", 2, 2),
    ("A", 0, 50, "1", "DE", "MUG", 1, 3),
    ("B", 0, 40, "2", "FR", "CUP", 1, 4),
    ("B", 0, 50, "1", "US", "MUG", 3, 5),
    ("C1", 1, 50, "1", "", "MUG", 4, 6),
    ("A", 0, 50, "3", "IT", "CUP", 1, 7),
]


def sealed(rows: list[Staged]) -> Spool:
    spool = Spool()
    for _ in spool.add(rows):
        pass
    spool.seal()
    return spool


def test_an_invoice_is_one_whose_earliest_row_says_when_who_and_where() -> None:
    with sealed(ROWS) as spool:
        assert list(spool.invoices()) == [
            Invoice(1, "B", False, 40, "2", "FR"),
            Invoice(2, "A", False, 50, "1", "DE"),
            Invoice(3, "C1", True, 50, "1", ""),
        ]
        assert [spool.lines(n) for n in (1, 2, 3)] == [[("CUP", 1), ("MUG", 5)], [("CUP", 1), ("MUG", 1)], [("MUG", 4)]]
        assert spool.count() == (2, 1)
        assert (spool.units(cancels=False), spool.units(cancels=True)) == (8, 4)
        assert [i.number for i in spool.invoices(orders_only=True)] == ["B", "A"]


def test_shuffled_rows_make_the_same_invoices() -> None:
    with sealed(ROWS) as spool:
        expected = [(i, spool.lines(i.ordinal)) for i in spool.invoices()]
    for seed in range(5):
        with sealed(random.Random(seed).sample(ROWS, len(ROWS))) as spool:
            assert [(i, spool.lines(i.ordinal)) for i in spool.invoices()] == expected


def test_the_same_number_may_order_and_cancel() -> None:
    with sealed([("7", 0, 1, "1", "US", "MUG", 2, 2), ("7", 1, 1, "1", "", "MUG", 1, 3)]) as spool:
        assert [(i.number, i.cancels, spool.lines(i.ordinal)) for i in spool.invoices()] == [
            ("7", False, [("MUG", 2)]),
            ("7", True, [("MUG", 1)]),
        ]


def test_holdings_are_kept_for_what_is_cancelled_and_given_newest_first() -> None:
    rows: list[Staged] = [(f"{n}", 0, n, "1", "US", "MUG", n, n) for n in range(2, 6)]
    with sealed([*rows, ("9", 0, 9, "1", "US", "CUP", 1, 9), ("C1", 1, 5, "1", "", "MUG", 1, 10)]) as spool:
        assert [(h.number, h.units) for h in spool.holdings("1", "MUG", 5)] == [("5", 5), ("4", 4), ("3", 3), ("2", 2)]
        assert [h.number for h in spool.holdings("1", "MUG", 3)] == ["3", "2"]
        assert spool.holdings("1", "CUP", 99) == []
        assert spool.holdings("2", "MUG", 99) == []
        spool.claim("1", "MUG", 3, 3, 4)
        assert [(h.number, h.units) for h in spool.holdings("1", "MUG", 5)] == [("5", 5), ("3", 3), ("2", 2)]


def test_a_split_takes_what_was_moved_to_the_child_and_the_child_comes_first() -> None:
    with sealed([("7", 0, 1, "1", "US", "MUG", 5, 2), ("C7", 1, 2, "1", "", "MUG", 5, 3)]) as spool:
        order = next(spool.invoices())
        child = spool.split(order, order.ordinal, "OR-7-2", {"MUG": 3, "CUP": 1})
        grandchild = spool.split(order, child, "OR-7-2-2", {"MUG": 1})
        assert spool.holdings("1", "MUG", 2) == [
            Holding(grandchild, 1, "7", "OR-7-2-2", 1),
            Holding(child, 1, "7", "OR-7-2", 2),
            Holding(1, 1, "7", None, 2),
        ]
        assert spool.children(1) == [(child, "OR-7-2"), (grandchild, "OR-7-2-2")]
        assert child == 3, "a child's ordinal follows those of the file"


def test_rows_can_be_dropped_by_sku_before_the_seal() -> None:
    with Spool() as spool:
        assert list(spool.add(ROWS)) == [6]
        assert list(spool.ordered_skus()) == [("MUG", 2), ("CUP", 4)]
        assert list(spool.drop(["CUP"])) == [(4, "CUP"), (7, "CUP")]
        spool.seal()
        assert [spool.lines(i.ordinal) for i in spool.invoices(orders_only=True)] == [[("MUG", 1)], [("MUG", 5)]]


def test_several_passes_may_be_under_way_while_units_are_claimed() -> None:
    rows: list[Staged] = [(f"{n:03}", n % 2, n, "1", "US", "MUG", 1, n) for n in range(300)]
    with sealed(rows) as spool:
        seen = []
        for one, other in zip(spool.invoices(), spool.invoices(), strict=True):
            spool.claim("1", "MUG", one.ordinal, one.ordinal, 0)
            seen.append((one.number, other.number))
        assert seen == [(f"{n:03}", f"{n:03}") for n in range(300)]


def test_numbers_are_counted_once() -> None:
    with Spool() as spool:
        for number in ("7", "8", "7"):
            spool.note(number)
        assert spool.numbers() == 2


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which files a process has open")
def test_rows_go_to_a_file_that_has_no_name_and_needs_no_tidying() -> None:
    with Spool() as spool:
        spool._connection.executescript("PRAGMA cache_size = 50; PRAGMA cache_spill = 50;")
        assert list(spool.add([(f"{n}", 0, n, "1", "US", "MUG", 1, n) for n in range(10_000)])) == [5000, 10_000]
        spool.seal()
        assert spool.count() == (10_000, 0)
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
        assert any("etilqs_" in link for link in links), "SQLite's name for temporary files"
        assert all(link.endswith("(deleted)") for link in links if "etilqs_" in link)


def _is_open(fd: str) -> bool:
    """The descriptor of the listing itself is closed by the time it is looked at."""
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_a_full_disk_is_told_with_what_to_do() -> None:
    with Spool() as spool:
        spool._connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(OrderstateError, match="temporary copy") as full:
            list(spool.add([(f"{n}", 0, n, "1", "US", "M" * 60, 1, n) for n in range(5000)]))
        assert full.value.code == "no_room"
        assert "SQLITE_TMPDIR" in str(full.value.hint)

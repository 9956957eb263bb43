"""Reading a file of orders: every row is used, left out or bad, and is named by its line and column."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from histories import COLUMNS, HEADER, SHOP, orders_file

from orderstate.errors import InvalidInput, NotFound
from orderstate.history import BadRow, OrderMapping, Reader, Row

GOOD = "7,2026-01-05 10:00,MUG,2,31,US"
AT = 1_767_607_200_000_000


def read(path: Path, mapping: OrderMapping = SHOP) -> tuple[list[Row], list[BadRow], Reader]:
    bad: list[BadRow] = []
    reader = Reader(path, mapping, on_bad=bad.append)
    return list(reader), bad, reader


def bad_row(folder: Path, line: str) -> BadRow:
    """The one bad row of a file with a good row before and after it."""
    rows, bad, reader = read(orders_file(folder, GOOD, line, GOOD.replace("7,", "8,", 1)))
    assert [row.order for row in rows] == ["7", "8"]
    assert (reader.rows, reader.bad, len(bad)) == (3, 1, 1)
    assert bad[0].row == 3
    return bad[0]


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz", "orders.gz"])
def test_a_row_becomes_values(tmp_path: Path, name: str) -> None:
    rows, bad, reader = read(orders_file(tmp_path, GOOD, name=name))
    assert rows == [Row("7", 0, AT, "31", "US", "MUG", 2, 2)]
    assert (bad, reader.rows, reader.bad) == ([], 1, 0)


def test_a_packed_file_is_known_by_its_bytes_and_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode()))
    assert len(read(path)[0]) == 1


def test_a_cancellation_takes_units_back_whatever_their_sign(tmp_path: Path) -> None:
    rows, _, _ = read(orders_file(tmp_path, "C9,2026-01-05,MUG,-3,31,Atlantis", "C9,2026-01-05,CUP,3,31,"))
    assert [(r.order, r.cancels, r.sku, r.units, r.destination) for r in rows] == [
        ("C9", 1, "MUG", 3, ""),
        ("C9", 1, "CUP", 3, ""),
    ]


def test_a_customer_may_be_missing(tmp_path: Path) -> None:
    rows, _, _ = read(orders_file(tmp_path, GOOD.replace("31", " ")))
    assert rows[0].customer is None


def test_rows_are_left_out_by_the_first_rule_that_holds(tmp_path: Path) -> None:
    left: list[tuple[int, str, str]] = []
    path = orders_file(tmp_path, GOOD, GOOD.replace("MUG,2", "POST,0"), GOOD.replace("MUG", "POST"), "9,,POST,1,,")
    reader = Reader(path, SHOP, on_left_out=lambda *row: left.append(row))
    assert len(list(reader)) == 1
    assert left == [(3, "7", "adjustment"), (4, "7", "not goods"), (5, "9", "not goods")]
    assert reader.left_out == {"adjustment": 1, "not goods": 2}


def test_every_order_number_is_told_even_of_rows_that_are_not_used(tmp_path: Path) -> None:
    told: list[str] = []
    path = orders_file(tmp_path, GOOD, GOOD, "8,2026-01-05,POST,1,,", "9,then,MUG,1,,", GOOD)
    list(Reader(path, SHOP, on_order=told.append))
    assert told == ["7", "8", "9", "7"]


@pytest.mark.parametrize(
    ("line", "column", "value", "expected"),
    [
        (",2026-01-05,MUG,2,31,US", "Order", "", "an order number"),
        ("##,2026-01-05,MUG,2,31,US", "Order", "##", "an order number"),
        (f"{'9' * 41},2026-01-05,MUG,2,31,US", "Order", "9" * 41, "an order number"),
        ("7,05.01.2026,MUG,2,31,US", "Date", "05.01.2026", "an ISO 8601 date"),
        ("7,,MUG,2,31,US", "Date", "", "an ISO 8601 date"),
        ("7,1969-12-31,MUG,2,31,US", "Date", "1969-12-31", "from 1970 on"),
        ("7,2026-01-05,,2,31,US", "Item", "", "1 to 64 printable characters"),
        ("7,2026-01-05,M\x00G,2,31,US", "Item", "M\x00G", "1 to 64 printable characters"),
        ("7,2026-01-05,MUG,two,31,US", "Qty", "two", "a whole number"),
        ("7,2026-01-05,MUG,1_0,31,US", "Qty", "1_0", "a whole number"),
        ("7,2026-01-05,MUG,2.5,31,US", "Qty", "2.5", "a whole number"),
        ("7,2026-01-05,MUG,nan,31,US", "Qty", "nan", "a whole number"),
        ("7,2026-01-05,MUG,,31,US", "Qty", "", "a whole number"),
        ("7,2026-01-05,MUG,2147483648,31,US", "Qty", "2147483648", "from 1 to 2147483647"),
        ("7,2026-01-05,MUG,2,31,Atlantis", "Country", "Atlantis", "`countries` of the mapping"),
        ("7,2026-01-05,MUG,2,31,", "Country", "", "ISO 3166"),
        ("7,2026-01-05,MUG", "Qty", "7,2026-01-05,MUG", "a whole row: it ends after 3 of 6 columns"),
        ("7,2026-01-05,MUG,2,31,US,7", None, "7,2026-01-05,MUG,2,31,US,7", "a row of 6 columns: it has 7"),
    ],
)
def test_a_bad_value_is_named_with_its_row_and_column(
    tmp_path: Path, line: str, column: str | None, value: str, expected: str
) -> None:
    found = bad_row(tmp_path, line)
    assert (found.column, found.value) == (column, value)
    assert expected in found.reason


@pytest.mark.parametrize("text", ["2", "+2", "2.0", "2.", " 2 "])
def test_a_quantity_may_be_written_as_tables_write_it(tmp_path: Path, text: str) -> None:
    rows, _, _ = read(orders_file(tmp_path, GOOD.replace(",2,", f",{text},")))
    assert rows[0].units == 2


def test_an_order_below_zero_is_bad_where_no_rule_leaves_it_out(tmp_path: Path) -> None:
    path = orders_file(tmp_path, GOOD.replace(",2,", ",-2,"))
    rows, bad, _ = read(path, replace(SHOP, leave_out=()))
    assert rows == []
    assert str(bad[0]) == "row 2, column Qty: '-2' is not a whole number from 1 to 2147483647"


def test_a_row_is_counted_by_the_lines_of_the_file(tmp_path: Path) -> None:
    path = orders_file(tmp_path, '"7",2026-01-05,"MUG\nblue",2,31,US', "", "8,2026-01-05,MUG,x,31,US")
    _, bad, reader = read(path)
    assert [(row.row, row.column) for row in bad] == [(2, "Item"), (5, "Qty")]
    assert reader.rows == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [('7,2026-01-05,"MUG"x,2,31,US', "expected after"), ('8,2026-01-05,"MUG,2,31,US', "unexpected end of data")],
)
def test_broken_quotes_are_named_and_the_good_rows_before_them_stay(tmp_path: Path, line: str, says: str) -> None:
    rows, bad, reader = read(orders_file(tmp_path, GOOD, line))
    assert len(rows) == 1
    assert (reader.rows, bad[0].row, bad[0].reason) == (2, 3, "readable CSV")
    assert says in bad[0].value


def test_reading_goes_on_behind_a_field_that_is_too_large(tmp_path: Path) -> None:
    rows, bad, _ = read(orders_file(tmp_path, GOOD, f"8,2026-01-05,{'x' * 140_000},2,31,US", GOOD))
    assert [row.line for row in rows] == [2, 4]
    assert "field larger than field limit" in bad[0].value


def test_wrong_bytes_are_named_by_row_and_column_in_any_column(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    lines = [f"{HEADER},Note", f"{GOOD},fine", f"{GOOD},£", f"{GOOD},ß"]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    rows, bad, _ = read(path)
    assert len(rows) == 1
    assert [(row.row, row.column, row.value) for row in bad] == [(3, "Note", "\\xa3"), (4, "Note", "\\xdf")]
    assert read(path, replace(SHOP, encoding="cp1252"))[1] == []


def test_a_signature_before_the_header_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n".encode())
    assert len(read(path, replace(SHOP, encoding="utf-8-sig"))[0]) == 1


def test_other_encodings_and_delimiters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(f"{HEADER}\n{GOOD}\n".replace(",", ";").encode("utf-16"))
    assert len(read(path, replace(SHOP, encoding="utf-16", delimiter=";"))[0]) == 1


def test_what_is_no_text_in_the_encoding_ends_the_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(f"{HEADER}\n{GOOD}\n{GOOD}\n".encode("utf-16")[:-1])
    rows, bad, _ = read(path, replace(SHOP, encoding="utf-16"))
    assert len(rows) == 1
    assert [row.reason for row in bad] == ["the end of a whole file"]


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_packed_file_that_is_cut_gives_its_good_rows_and_says_where_it_ends(tmp_path: Path, kept: float) -> None:
    lines = [f"{n},2026-01-05 10:00,SKU-{n * 7919 % 10007},2,{n % 89},US" for n in range(5000)]
    whole = orders_file(tmp_path, *lines, name="orders.csv.gz").read_bytes()
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: int(len(whole) * kept)])
    rows, bad, _ = read(path)
    assert 0 < len(rows) < 5000
    assert [row.line for row in rows] == list(range(2, len(rows) + 2))
    assert [row.sku for row in rows] == [line.split(",")[2] for line in lines[: len(rows)]]
    assert (bad[-1].row, bad[-1].reason) == (len(rows) + 2, "the end of a whole file")


def test_a_damaged_packed_file_is_told_like_a_cut_one(tmp_path: Path) -> None:
    lines = [f"{n},2026-01-05 10:00,SKU-{n * 7919 % 10007},2,{n % 89},US" for n in range(5000)]
    whole = bytearray(orders_file(tmp_path, *lines, name="orders.csv.gz").read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path = tmp_path / "damaged.csv.gz"
    path.write_bytes(whole)
    _, bad, _ = read(path)
    assert bad[-1].reason == "the end of a whole file"


def test_a_missing_column_is_named_with_the_one_that_looks_like_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"{HEADER.replace('Qty', 'Qtty')}\n{GOOD}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"row 1.*'Qty'") as wrong:
        read(path)
    assert wrong.value.hint == "did you mean Qtty?"


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"{HEADER},Qty\n{GOOD},3\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="column Qty"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b'"Order', "Order,Date".encode("utf-16")])
def test_what_has_no_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"orders\.csv"):
        read(path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        read(tmp_path / "nothing.csv")


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    assert read(orders_file(tmp_path))[0] == []


def test_the_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Note,Qty,Item,Country,Date,Order\nx,2,MUG,US,2026-01-05 10:00,7\n", encoding="utf-8")
    mapping = replace(SHOP, columns={k: v for k, v in COLUMNS.items() if k != "customer"})
    assert read(path, mapping)[0] == [Row("7", 0, AT, None, "US", "MUG", 2, 2)]

"""Importing orders: placed at their date under keys from the file; bad rows refuse the file, or are left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from histories import HEADER, SHOP, content, orders_file, report_rows
from worlds import World

from orderstate import InvalidInput, NotFound
from orderstate.history import Summary, import_orders
from orderstate.history.network import BadRows

MONDAY = 1_767_607_200_000_000
"""2026-01-05 10:00 UTC."""

LINES = (
    "8,2026-01-05 10:30,CUP,1,32,US",
    "7,2026-01-05 10:00,MUG,2,31,US",
    "8,2026-01-05 10:29,MUG,1,32,US",
    "7,2026-01-05 10:00,MUG,1,31,US",
    "9,2026-01-06 10:00,POST,1,31,US",
    "C3,2026-01-07 10:00,MUG,-1,31,US",
)


@pytest.fixture
def shop(world: World) -> World:
    return world.facility("DEN", "39.74,-104.99", MUG=10, CUP=10)


def bring(shop: World, file: Path, **options: Any) -> Summary:
    return import_orders(shop.engine, file, mapping=SHOP, **options)


def test_orders_are_placed_at_their_date_oldest_first(shop: World, tmp_path: Path) -> None:
    done = bring(shop, orders_file(tmp_path, *LINES))
    assert shop.rows("SELECT id, state, placed_at, destination FROM orders ORDER BY serial") == [
        ("OR-7", "pending", MONDAY, "US"),
        ("OR-8", "pending", MONDAY + 29 * 60_000_000, "US"),
    ]
    assert [(line.sku, line.quantity) for line in shop.engine.order("OR-8").lines] == [("CUP", 1), ("MUG", 1)]
    assert [(line.sku, line.quantity) for line in shop.engine.order("OR-7").lines] == [("MUG", 3)]
    assert shop.rows("SELECT key FROM idempotency WHERE key LIKE 'shop:%'") == [("shop:7",), ("shop:8",)]
    assert (done.rows, done.invoices, done.orders, done.cancellations) == (6, 4, 2, 1)
    assert (done.placed, done.repeated, done.refused, done.exit_status) == (2, 0, {}, 0)
    assert done.left_out == {"not goods": 1}
    assert (done.units_ordered, done.units_tied, done.units_cancelled) == (5, 0, 0)
    assert done.states == {
        "pending": 2, "backordered": 0, "inventory_tied": 0, "shipping": 0, "delivered": 0, "cancelled": 0,
    }  # fmt: skip
    shop.check()


@pytest.mark.parametrize("replayed", [False, True])
def test_what_is_history_is_told_to_nobody(shop: World, tmp_path: Path, replayed: bool) -> None:
    before = shop.rows("SELECT count(*) FROM delivery")
    bring(shop, orders_file(tmp_path, *LINES), replay=replayed)
    assert shop.rows("SELECT count(*) FROM delivery") == before
    assert not shop.engine.silent
    shop.order(MUG=1)
    assert shop.rows("SELECT count(*) FROM delivery") > before


def test_a_second_run_repeats_and_changes_nothing(shop: World, tmp_path: Path) -> None:
    file = orders_file(tmp_path, *LINES, name="orders.csv.gz")
    first = bring(shop, file)
    with shop.unchanged():
        second = bring(shop, file)
    assert replace(second, seconds=0.0) == replace(first, seconds=0.0, placed=0, repeated=2)


def test_a_grown_file_adds_what_is_new(shop: World, tmp_path: Path) -> None:
    bring(shop, orders_file(tmp_path, *LINES))
    done = bring(shop, orders_file(tmp_path, *LINES, "10,2026-01-08,MUG,1,31,US"))
    assert (done.placed, done.repeated) == (1, 2)


def test_a_changed_order_is_refused_and_named(shop: World, tmp_path: Path) -> None:
    bring(shop, orders_file(tmp_path, *LINES))
    report = tmp_path / "report.csv"
    changed = [line.replace("MUG,2", "MUG,5") for line in LINES]
    done = bring(shop, orders_file(tmp_path, *changed), report=report)
    assert (done.placed, done.repeated, done.refused, done.exit_status) == (0, 1, {"key_reused": 1}, 10)
    assert report_rows(report)[-1][:5] == ["refused", "", "7", "", "place"]


@pytest.mark.parametrize("replayed", [False, True])
def test_an_order_of_somebody_else_under_the_same_id_is_not_touched(
    shop: World, tmp_path: Path, replayed: bool
) -> None:
    shop.order(id="OR-7", MUG=1)
    with shop.unchanged("orders", "order_line", "event", "idempotency", "stock", "movement", "allocation", "shipment"):
        before = shop.engine.show("OR-7")
        done = bring(shop, orders_file(tmp_path, *LINES), replay=replayed)
        assert shop.engine.show("OR-7") == before
    assert done.refused == {"order_exists": 1}
    assert done.exit_status == 4
    assert done.units_unmatched == (1 if replayed else 0)


@pytest.mark.parametrize("replayed", [False, True])
def test_two_numbers_that_make_one_id_are_one_order_and_a_refusal(shop: World, tmp_path: Path, replayed: bool) -> None:
    file = orders_file(tmp_path, "7,2026-01-05,MUG,2,31,US", "#7,2026-01-05,MUG,1,31,US")
    done = bring(shop, file, replay=replayed, ship_after=None)
    assert (done.placed, done.refused) == (1, {"order_exists": 1})
    assert shop.level("DEN", "MUG") == ((10, 1, 0) if replayed else (10, 0, 0)), "#7 sorts before 7"
    keys = [key for (key,) in shop.rows("SELECT key FROM idempotency WHERE key LIKE '%shop:%' ORDER BY key")]
    assert keys == ["shop:#7", "tie:shop:#7"][: 1 + replayed]


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_an_order_too_large_is_refused_and_the_others_are_placed(shop: World, tmp_path: Path, batch: int) -> None:
    most = 2**31 - 1
    file = orders_file(tmp_path, *LINES, f"11,2026-01-05,MUG,{most},1,US", "11,2026-01-05,MUG,1,1,US")
    done = bring(shop, file, batch=batch)
    assert (done.orders, done.placed, done.refused, done.exit_status) == (3, 2, {"invalid_input": 1}, 2)


BAD = (*LINES, "12,2026-01-09,MUG,many,31,US", "7,2026-01-09,CUP,1", "13,2026-01-09,CUP,1,,Atlantis")


def test_one_bad_row_refuses_the_whole_file_before_anything_is_written(shop: World, tmp_path: Path) -> None:
    with shop.unchanged(), pytest.raises(BadRows) as refused:
        bring(shop, orders_file(tmp_path, *BAD), replay=True)
    error = refused.value
    assert error.exit_status == 2
    assert error.sentence.endswith("orders.csv: 3 rows of 9 cannot be used, so nothing was imported")
    assert [b.values for b in error.blocked] == [
        {"row": 8, "column": "Qty"}, {"row": 9, "column": "Customer"}, {"row": 10, "column": "Country"},
    ]  # fmt: skip
    assert error.blocked[0].sentence == "row 8, column Qty: 'many' is not a whole number from 1 to 2147483647"
    assert "--bad keep" in str(error.hint)


def test_good_rows_are_kept_and_the_rest_counted_and_listed(shop: World, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    done = bring(shop, orders_file(tmp_path, *BAD), bad="keep", report=report)
    assert (done.placed, done.bad, done.exit_status) == (2, 3, 0)
    assert [str(row) for row in done.bad_rows] == [
        "row 8, column Qty: 'many' is not a whole number from 1 to 2147483647",
        "row 9, column Customer: '7,2026-01-09,CUP,1' is not a whole row: it ends after 4 of 6 columns",
        "row 10, column Country: 'Atlantis' is not an ISO 3166 country code of two letters, such as US, "
        "or a name under `countries` of the mapping",
    ]
    listed = report_rows(report)
    assert listed[0] == ["kind", "row", "invoice", "column", "value", "reason"]
    assert [row[:5] for row in listed[1:]] == [
        ["left_out", "6", "9", "", ""],
        ["bad", "8", "", "Qty", "many"],
        ["bad", "9", "", "Customer", "7,2026-01-09,CUP,1"],
        ["bad", "10", "", "Country", "Atlantis"],
    ]
    assert listed[2][5] == "not a whole number from 1 to 2147483647"


def test_a_summary_names_twenty_bad_rows_and_the_report_all(shop: World, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    file = orders_file(tmp_path, *(f"{n},2026-01-09,MUG,x,,US" for n in range(50)))
    done = bring(shop, file, bad="keep", report=report)
    assert (done.bad, len(done.bad_rows), done.orders) == (50, 20, 0)
    assert len(report.read_text(encoding="utf-8").splitlines()) == 51
    with pytest.raises(BadRows) as refused:
        bring(shop, file, report=report)
    assert len(refused.value.blocked) == 20
    assert len(report.read_text(encoding="utf-8").splitlines()) == 51, "a refused file is reported whole as well"


def test_unknown_skus_refuse_the_file_before_anything_is_written(shop: World, tmp_path: Path) -> None:
    file = orders_file(tmp_path, *LINES, "14,2026-01-09,PLATE,1,,US", "15,2026-01-09,BOWL,1,,US")
    with shop.unchanged(), pytest.raises(NotFound) as refused:
        bring(shop, file)
    assert refused.value.code == "unknown_sku"
    assert "2 SKUs are not in this database, the first 'PLATE' in row 8" in refused.value.sentence
    assert refused.value.values["column"] == "Item"


def test_rows_of_unknown_skus_are_bad_rows_where_good_ones_are_kept(shop: World, tmp_path: Path) -> None:
    file = orders_file(tmp_path, *LINES, "7,2026-01-09,PLATE,1,31,US", "15,2026-01-09,PLATE,1,,US")
    done = bring(shop, file, bad="keep")
    assert (done.orders, done.placed, done.bad) == (2, 2, 2)
    assert [str(row) for row in done.bad_rows] == [
        "row 8, column Item: 'PLATE' is not a SKU of this database",
        "row 9, column Item: 'PLATE' is not a SKU of this database",
    ]
    assert shop.engine.order("OR-7").open_units == 3


def test_an_unknown_sku_that_is_only_cancelled_is_no_mistake(shop: World, tmp_path: Path) -> None:
    done = bring(shop, orders_file(tmp_path, *LINES, "C4,2026-01-09,PLATE,-1,31,US"), replay=True)
    assert (done.bad, done.units_unmatched) == (0, 1)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"bad": "skip"}, "bad"),
        ({"batch": 0}, "batch"),
        ({"ship_after": -1}, "ship-after"),
        ({"deliver_after": -1}, "deliver-after"),
        ({"ship_after": None, "deliver_after": 5}, "deliver-after"),
        ({"report": "."}, "report"),
    ],
)
def test_an_option_that_cannot_be_is_named(shop: World, tmp_path: Path, options: dict[str, Any], field: str) -> None:
    with shop.unchanged(), pytest.raises(InvalidInput) as wrong:
        bring(shop, orders_file(tmp_path, *LINES), **options)
    assert wrong.value.values["field"] == field


def test_a_file_or_mapping_that_is_not_there_is_not_found(shop: World, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        bring(shop, tmp_path / "nothing.csv")
    with pytest.raises(NotFound, match="unknown mapping"):
        import_orders(shop.engine, orders_file(tmp_path, *LINES), mapping="nothing")


def test_a_mapping_file_is_read(shop: World, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    columns = "\n".join(f"  {field}: {column}" for field, column in SHOP.columns.items())
    path.write_text(f"columns:\n{columns}\norder_prefix: M\n", encoding="utf-8")
    done = import_orders(shop.engine, orders_file(tmp_path, LINES[0]), mapping=path)
    assert (done.mapping, shop.rows("SELECT id FROM orders")) == ("mine", [("M8",)])
    assert shop.rows("SELECT key FROM idempotency WHERE key LIKE 'mine%'") == [("mine:8",)]


def test_an_empty_file_is_an_import_of_nothing(shop: World, tmp_path: Path) -> None:
    with shop.unchanged():
        done = bring(shop, orders_file(tmp_path), replay=True)
    assert (done.rows, done.orders, done.invoices, done.exit_status) == (0, 0, 0, 0)


def test_progress_counts_rows_while_reading_and_then_invoices_up_to_all(shop: World, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    note: Callable[[int, int | None], None] = lambda done, total: seen.append((done, total))  # noqa: E731  # typed
    bring(shop, orders_file(tmp_path, *LINES), progress=note, batch=1, replay=True)
    assert seen[0] == (6, None)
    assert {total for _, total in seen[1:]} == {3}
    assert [done for done, _ in seen[1:]] == sorted(done for done, _ in seen[1:])
    assert seen[-1] == (3, 3)


def test_the_summary_is_a_document_of_plain_values(shop: World, tmp_path: Path) -> None:
    import json

    done = bring(shop, orders_file(tmp_path, *BAD), bad="keep")
    document = json.loads(json.dumps(done.document()))
    assert document["placed"] == 2
    assert document["rate"] == round(done.rate, 1)
    assert document["bad_rows"][0] == {
        "row": 8, "column": "Qty", "value": "many", "reason": "a whole number from 1 to 2147483647",
    }  # fmt: skip
    assert set(document) == {*Summary.__dataclass_fields__, "rate"}


def test_the_batch_changes_nothing_in_what_is_placed(shop: World, database: Path, tmp_path: Path) -> None:
    lines = [f"{n},2026-01-0{n % 9 + 1},MUG,{n % 3 + 1},{n % 4},US" for n in range(20)]
    bring(shop, orders_file(tmp_path, *lines), batch=3)
    with shop.unchanged():
        done = bring(shop, orders_file(tmp_path, *lines), batch=500)
    assert done.repeated == 20
    assert len(content(database)[0]) == 20


def test_the_header_alone_says_which_column_is_missing(shop: World, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER.replace("Item", "Article") + "\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="'Item' that mapping shop names"):
        bring(shop, path)


def test_the_document_tells_every_field_of_a_summary() -> None:
    text = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    section = text.split("## The summary")[1].split("\n## ")[0]
    fields = {name for row in section.splitlines() if row.startswith("| `") for name in row.split("|")[1].split("`")}
    assert {f for f in fields if f.strip(" ,")} == {*Summary.__dataclass_fields__, "rate"}

"""Facilities, stock, settings: the commands, and the files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from shops import Cli, counted, database
from worlds import snapshot

pytest_plugins = ["shop_fixtures"]


def test_a_facility_is_added_changed_and_cleared(cli: Cli) -> None:
    added = cli(
        "facility", "add", "CHI", "--country", "us", "--at", "41.88,-87.63", "--name", "Chicago", "--gateway", "ORD",
        "--priority", "5", "--closed", "--cost", "per_km=0.7", "--cost", "handling=100",
        human=True,
    )  # fmt: skip
    assert (added.out, added.err) == ("CHI: facility added\n", "next: orderstate stock receive CHI SKU QTY\n")
    chicago = {d["facility"]: d for d in cli("facility", "list", "--json").documents}["CHI"]
    assert chicago == {
        "facility": "CHI", "country": "US", "at": "41.88,-87.63", "name": "Chicago", "gateway": "ORD", "priority": 5,
        "closed": True, "costs": {"handling": "100", "per_km": "0.7"}, "version": 0,
    }  # fmt: skip
    cli(
        "facility", "set", "CHI", "--at", "", "--name", "", "--gateway", "", "--open", "--cost", "per_km=",
        "--country", "CA", "--priority", "9",
    )  # fmt: skip
    chicago = {d["facility"]: d for d in cli("facility", "list", "--json").documents}["CHI"]
    assert (chicago["at"], chicago["name"], chicago["gateway"]) == (None, None, None)
    assert (chicago["closed"], chicago["costs"], chicago["country"], chicago["priority"]) == (
        False,
        {"handling": "100"},
        "CA",
        9,
    )
    same = cli("facility", "set", "CHI", "--open", human=True)
    assert same.out == "CHI: nothing to change\n"


def test_stock_is_received_adjusted_and_listed(cli: Cli) -> None:
    assert cli("stock", "receive", "DEN", "HAT", "5", "--pool", "back").tsv == [
        {"facility": "DEN", "sku": "HAT", "pool": "back", "units": "5"}
    ]
    adjusted = cli(
        "stock", "adjust", "DEN", "HAT", "--by", "-2", "--safety", "1", "--pool", "back", "--reason", "torn",
        "--by-name", "Ann",
    )  # fmt: skip
    assert adjusted.tsv == [
        {"facility": "DEN", "sku": "HAT", "pool": "back", "was": "5", "on_hand": "3", "safety": "1"}
    ]
    assert adjusted.err.startswith("DEN: HAT (back): 5 -> 3 on hand, 1 of them not for sale\n")
    cli("stock", "adjust", "DEN", "HAT", "--to", "9", "--pool", "back")
    assert cli("stock", "list", "--sku", "HAT", "--json").document == {
        "facility": "DEN", "sku": "HAT", "pool": "back", "on_hand": 9, "allocated": 0, "safety": 1, "available": 8,
    }  # fmt: skip
    assert [row["sku"] for row in cli("stock", "list", "--facility", "NYC").tsv] == ["CUP", "MUG"]
    assert len(cli("stock", "list").tsv) == 4


def test_settings_are_told_changed_and_returned(cli: Cli) -> None:
    changed = cli("config", "set", "cost.per_km", "0.70", human=True)
    assert changed.out == "cost.per_km: the default -> 0.7\n"
    assert cli("config", "get", "cost.per_km", "--json").document["value"] == "0.7"
    drawn = cli("config", "list", human=True).out
    assert "instead of" in drawn
    back = cli("config", "set", "cost.per_km", "--default", "--json").document
    assert (back["was"], back["value"]) == ("0.7", None)
    everything = cli("config", "list", "--json").documents
    assert all(d["value"] == d["default"] and d["doc"] and d["unit"] for d in everything)
    assert [d["setting"] for d in everything] == [row["setting"] for row in cli("config", "list").tsv]
    assert cli("config", "get", "short", human=True).out.splitlines()[0] == "setting  short"


FACILITIES = """\
code,country,lat,lon,name,gateway,priority,closed
AMS,NL,52.37,4.9,Amsterdam,AMS,10,no
DEN,,39.75,-105,Denver West,,,yes
"""


def test_facilities_are_imported_and_only_the_columns_of_the_file_change(cli: Cli, folder: Path) -> None:
    (folder / "f.csv").write_text(FACILITIES, encoding="utf-8-sig")
    cli("facility", "set", "DEN", "--priority", "3")
    done = cli("facility", "import", "f.csv", "--json").document
    assert done == {"file": "f.csv", "rows": 2, "kept": 2, "changed": 2, "bad": 0, "bad_rows": []}
    found = {d["facility"]: d for d in cli("facility", "list", "--json").documents}
    assert (found["AMS"]["country"], found["AMS"]["gateway"], found["AMS"]["priority"]) == ("NL", "AMS", 10)
    assert (found["DEN"]["at"], found["DEN"]["country"], found["DEN"]["closed"]) == ("39.75,-105", "US", True)
    assert found["DEN"]["priority"] == 3
    assert cli("facility", "import", "f.csv", "--json").document["changed"] == 0
    (folder / "at.csv").write_text('code,at\nDEN,"1,2"\n', encoding="utf-8")
    assert cli("facility", "import", "at.csv").tsv[0]["changed"] == "1"
    assert {d["facility"]: d for d in cli("facility", "list", "--json").documents}["DEN"]["name"] == "Denver West"


STOCK = """\
facility,sku,on_hand,pool,safety,grams
DEN,MUG,7,,1,350
DEN,PEN,3,back,,
"""


@pytest.mark.parametrize("packed", [False, True])
def test_a_stock_count_is_imported_and_repeating_it_changes_nothing(cli: Cli, folder: Path, packed: bool) -> None:
    raw = STOCK.encode("utf-8")
    file = folder / ("s.csv.gz" if packed else "s.csv")
    file.write_bytes(gzip.compress(raw) if packed else raw)
    assert cli("stock", "import", file.name).tsv[0] == {
        "file": file.name, "rows": "2", "kept": "2", "changed": "1", "bad": "0",
    }  # fmt: skip
    stock = {(d["facility"], d["sku"], d["pool"]): d for d in cli("stock", "list", "--json").documents}
    assert (stock["DEN", "MUG", "primary"]["on_hand"], stock["DEN", "MUG", "primary"]["safety"]) == (7, 1)
    assert stock["DEN", "PEN", "back"]["on_hand"] == 3
    assert stock["NYC", "MUG", "primary"]["on_hand"] == 10
    events = counted("event")
    assert cli("stock", "import", file.name).tsv[0]["changed"] == "0"
    assert counted("event") == events


BAD_STOCK = (
    STOCK + "DEX,MUG,1,,,\nDEN,HAT,-1,,,\nDEN,HAT,x,,,\nDEN,HAT,1,attic,,\nDEN,MUG,8,,,\nNYC,MUG,0,,,\nDEN,HAT\n"
)


def test_one_bad_row_refuses_the_whole_file_and_every_bad_row_is_named(cli: Cli, folder: Path) -> None:
    (folder / "s.csv").write_text(BAD_STOCK, encoding="utf-8")
    cli("place", "--line", "MUG:1", "--to", "US@40.7,-74")
    cli("tie", "1001")
    before = snapshot(database())
    refused = cli("stock", "import", "s.csv")
    assert refused.status == 2
    assert refused.err.splitlines() == [
        "error: bad_rows: s.csv: 7 of 9 rows cannot be used, so nothing was changed",
        "  bad_row: row 4, column facility: 'DEX' is not a facility: did you mean DEN?",
        "  bad_row: row 5, column on_hand: '-1' is not a whole number from 0 to 2147483647",
        "  bad_row: row 6, column on_hand: 'x' is not a whole number from 0 to 2147483647",
        "  bad_row: row 7, column pool: 'attic' is not one of primary, back",
        "  bad_row: row 8, column sku: 'MUG' is not counted once per pool of DEN: row 2 has it",
        "  bad_row: row 10: 'DEN,HAT' is not a row of 6 values, like the header",
        "  bad_row: row 9, column on_hand: '0' is not at least 1, which orders hold there: "
        "orderstate list --facility NYC",
        "hint: mend the file, or keep its good rows with --bad keep",
    ]
    assert snapshot(database()) == before


def test_good_rows_are_kept_if_asked(cli: Cli, folder: Path) -> None:
    (folder / "s.csv").write_text(BAD_STOCK, encoding="utf-8")
    kept = cli("stock", "import", "s.csv", "--bad", "keep")
    assert kept.status == 0
    assert kept.tsv[0]["kept"] == "3"
    assert "skipped 6 bad rows:" in kept.err
    (folder / "f.csv").write_text(FACILITIES + "XX,??,1,2,,,,\n", encoding="utf-8")
    done = cli("facility", "import", "f.csv", "--bad", "keep", "--json").document
    assert (done["kept"], done["bad"], done["bad_rows"][0]["column"]) == (2, 1, "country")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "row 1: '' is not a header with the column facility"),
        (b"facility,sku,onhand\n", "row 1: 'onhand' is not one of the columns"),
        (b"facility,sku,sku,on_hand\n", "row 1: 'sku' is not a column that is there once"),
        (b"facility,sku\n", "is not a header with the column on_hand"),
        (b"facility,sku,on_hand\nDEN,M\xfcG,1\n", "row 2: 'DEN,M\\\\xfcG,1' is not text in UTF-8"),
        (STOCK.encode("utf-16"), "row 1: "),
        (b'facility,sku,on_hand\nDEN,"MUG,1\n', "row 2: 'unexpected end of data' is not CSV that can be read"),
        (gzip.compress(STOCK.encode() * 50)[:-20], "is not a whole gzip file"),
    ],
    ids=["empty", "odd column", "column twice", "column missing", "latin-1", "utf-16", "open quote", "cut gzip"],
)
def test_a_file_that_cannot_be_read_is_refused_naming_the_row(
    cli: Cli, folder: Path, content: bytes, said: str
) -> None:
    (folder / "s.csv").write_bytes(content)
    before = snapshot(database())
    refused = cli("stock", "import", "s.csv", "--bad", "keep")
    assert refused.status == 2
    assert said in refused.err.splitlines()[0]
    assert snapshot(database()) == before


def test_a_missing_file_is_not_found(cli: Cli) -> None:
    assert cli("stock", "import", "none.csv").status == 3
    assert cli("facility", "import", ".").status == 2

"""Many orders and commands from files and stdin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shops import Cli, counted
from worlds import rows

pytest_plugins = ["shop_fixtures"]

ONE, TWO = {"lines": {"MUG": 1}, "to": "US"}, {"lines": [["CUP", 2]], "to": "CA", "key": "k", "id": "own-1"}


def as_lines(*documents: object) -> bytes:
    return b"".join(json.dumps(d).encode() + b"\n" for d in documents)


@pytest.mark.parametrize(
    "content",
    [
        as_lines(ONE, TWO),
        b"\xef\xbb\xbf\n" + as_lines(ONE) + b"\n" + as_lines(TWO).rstrip(),
        json.dumps([ONE, TWO], indent=2).encode(),
    ],
)
def test_orders_are_placed_from_ndjson_or_one_list(cli: Cli, content: bytes) -> None:
    placed = cli("place", "-f", "-", "--short", "refuse", "--by", "batch", "--json", stdin=content)
    assert placed.status == 0
    assert [d["order"] for d in placed.documents] == ["1001", "own-1"]
    assert rows(Path("orderstate.db"), "SELECT DISTINCT short FROM orders") == [("refuse",)]
    assert rows(Path("orderstate.db"), "SELECT DISTINCT by FROM event WHERE type = 'OrderPlaced'") == [("batch",)]


def test_one_order_may_be_written_over_several_lines(cli: Cli, folder: Path) -> None:
    (folder / "o.json").write_text(json.dumps(ONE, indent=2), encoding="utf-8")
    assert cli("place", "--file", "o.json").tsv[0]["order"] == "1001"
    assert cli("place", "--file", "nothing.json").status == 3


def test_all_orders_are_attempted_and_each_error_names_its_line(cli: Cli) -> None:
    content = as_lines(ONE, {"lines": {"MUG": 0}, "to": "US"}) + b"{oops\n" + as_lines({**ONE, "idd": 1}, 7, TWO)
    placed = cli("place", "-f", "-", stdin=content)
    assert placed.status == 2
    assert [row["order"] for row in placed.tsv] == ["1001", "own-1"]
    errors = [line for line in placed.err.splitlines() if line.startswith("error")]
    assert [e.split(": ")[2] for e in errors] == [f"stdin line {n}" for n in (2, 3, 4, 5)]
    assert placed.err.splitlines()[-1] == "next: orderstate tie 1001 own-1"


@pytest.mark.parametrize(
    ("content", "places", "placed"),
    [
        (b'{"lines":{"MUG":1,"MUG":3},"to":"US"}\n{"lines":{"MUG":1},"to":"US"}\n', ["stdin line 1"], 1),
        (b'{"lines":{"MUG":1},"to":"US"}\n\n{"lines":{"MUG":1,"MUG":3},"to":"US"}\n', ["stdin line 3"], 1),
        (
            b'[{"lines":{"CUP":1},"to":"US"},\n {"lines":{"MUG":1,"MUG":3},"to":"US"},\n\n'
            b'  {"lines":{"CUP":1},"to":"US"}]',
            ["stdin line 2, order 2"],
            2,
        ),
        (b'{"to": "US",\n "lines": {"MUG": 1,\n "MUG": 3}}', ["stdin"], 0),
    ],
)
def test_a_key_that_is_given_twice_is_told_with_its_line(
    cli: Cli, content: bytes, places: list[str], placed: int
) -> None:
    done = cli("place", "--file", "-", stdin=content)
    said = "the key 'MUG' is given twice in one object: give it once"
    told = [line for line in done.err.splitlines() if line.startswith("error")]
    assert told == [f"error: invalid_input: {place}: {said}" for place in places]
    assert (done.status, counted("orders")) == (2, placed)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
def test_a_file_without_orders_is_an_error(cli: Cli, content: bytes) -> None:
    assert cli("place", "-f", "-", stdin=content).status == 2


def test_a_file_of_other_commands_is_pointed_to_run(cli: Cli) -> None:
    refused = cli("place", "-f", "-", stdin=as_lines({"command": "ship", "order": "1001"}))
    assert (refused.status, refused.err.splitlines()[1]) == (2, "hint: orderstate run -")


def test_text_in_another_encoding_is_refused_naming_the_line(cli: Cli) -> None:
    refused = cli("place", "-f", "-", stdin=as_lines(ONE) + b'{"lines":{"M\xfcG":1},"to":"US"}\n')
    assert refused.status == 2
    assert "stdin line 2: " in refused.err
    assert counted("orders") == 1


def test_run_answers_each_line_and_a_failed_one_does_not_stop_the_others(cli: Cli) -> None:
    commands = as_lines(
        {"command": "place", "lines": {"MUG": 1}, "to": "US"},
        {"command": "ship", "order": "1001"},
        {"command": "tie", "order": "1001"},
        {"command": "receive", "facility": "DEN", "sku": "CUP", "quantity": 1},
    )
    done = cli("run", "-", stdin=commands)
    assert done.status == 4
    assert [d["line"] for d in done.documents] == [1, 2, 3, 4]
    assert done.documents[1]["error"]["code"] == "not_from_here"
    assert done.documents[2]["state"] == "inventory_tied"
    assert done.err == ""
    many = cli("run", "-", "--batch", "50", stdin=commands)
    assert many.documents[0]["order"] == "1002"


def test_run_reads_a_file_and_publishes_times(cli: Cli, folder: Path) -> None:
    (folder / "c.ndjson").write_bytes(
        as_lines(
            {"command": "place", "lines": {"CUP": 9}, "to": "US"},
            {"command": "tie", "order": "1001"},
            {"command": "receive", "facility": "DEN", "sku": "CUP", "quantity": 1},
        )
    )
    done = cli("run", "c.ndjson")
    assert done.status == 5
    assert done.documents[2]["waiting"][0]["placed_at"].endswith("Z")


HISTORY = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536366,85123A,HOLDER,2,2010-12-01 08:28:00,2.55,17850,United Kingdom
536367,85123A,HOLDER,many,2010-12-01 08:30:00,2.55,17850,United Kingdom
"""


def test_order_history_is_imported_and_replayed(cli: Cli, folder: Path) -> None:
    (folder / "h.csv").write_text(HISTORY, encoding="utf-8")
    cli("stock", "receive", "DEN", "85123A", "7")
    refused = cli("import", "orders", "h.csv")
    assert refused.status == 2
    assert "row 4" in refused.err
    assert counted("orders") == 0
    done = cli(
        "import", "orders", "h.csv", "--map", "online-retail", "--replay", "--bad", "keep", "--ship-after", "1h",
        "--deliver-after", "1d", "--batch", "10", "--report", "left.csv", "--json",
    )  # fmt: skip
    assert done.status == 0
    summary = done.document
    assert (summary["rows"], summary["bad"], summary["placed"], summary["replay"]) == (3, 1, 2, True)
    assert sum(summary["states"].values()) >= 2
    assert (folder / "left.csv").exists()
    again = cli("import", "orders", "h.csv", "--replay", "--bad", "keep", human=True)
    assert "2 were there" in again.out
    assert again.err == "next: orderstate doctor\n"
    exact = dict(line.split("\t", 1) for line in cli("import", "orders", "h.csv", "--bad", "keep").out.splitlines())
    assert (exact["rows"], exact["placed"], exact["repeated"]) == ("3", "0", "2")
    assert cli("import", "orders", "h.csv", "--map", "nothing").status == 3
    assert cli("doctor").status == 0

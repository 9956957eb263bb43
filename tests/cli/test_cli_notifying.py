"""`notify check`: templates are tried before a customer reads them."""

from __future__ import annotations

import json
from pathlib import Path

from shops import Cli

pytest_plugins = ["shop_fixtures"]


def own(folder: Path, **templates: str) -> str:
    (folder / "words").mkdir()
    for name, text in templates.items():
        (folder / "words" / f"{name}.txt").write_text(text, encoding="utf-8")
    return "words"


def test_the_built_in_templates_are_in_order_without_a_database(empty: Cli) -> None:
    said = empty("notify", "check")
    assert said.status == 0
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert ["OrderPlaced", "built-in OrderPlaced.txt", ""] in rows
    assert said.err == f"{len(rows) - 1} in order, 0 with an error\n"


def test_a_template_with_an_error_is_named_with_its_line_and_the_rest_is_tried(folder: Path, empty: Cli) -> None:
    said = empty("notify", "check", own(folder, OrderPlaced="Hello\n\n{{nam}}", OrderPlacd="Hello"))
    assert said.status == 1
    problems = {line.split("\t")[0]: line.split("\t")[2] for line in said.out.splitlines()[1:]}
    assert "OrderPlaced.txt:3: unknown name 'nam'" in problems["OrderPlaced"]
    assert "no event is called OrderPlacd" in problems["OrderPlacd"]
    assert problems["ShippingStarted"] == ""


def test_the_folder_and_the_events_are_those_of_the_database(folder: Path, cli: Cli) -> None:
    own(folder, StockFreed="Your goods went back\n\nOrder {{order}}")
    assert cli("config", "set", "notify.templates", "words").status == 0
    assert "no event is called StockFreed" in cli("notify", "check").out
    flow = "{extends: standard, name: own, transitions: [{trigger: untie, from: inventory_tied, to: pending, event: "
    (folder / "own.yaml").write_text(flow + "StockFreed}]}", encoding="utf-8")
    assert cli("flow", "use", "own.yaml").status == 0
    assert "StockFreed\twords/StockFreed.txt\t\n" in cli("notify", "check").out


def test_what_a_customer_would_read_can_be_seen(folder: Path, empty: Cli) -> None:
    words = own(folder, ShippingStarted="Gone: {{order}}\n\nIt left, {{name}}.")
    said = empty("notify", "check", words, "--show", "ShippingStarted")
    assert said.status == 0
    assert said.out.startswith("Subject: Gone: 1001\n\nIt left, Ada Lovelace.\n")
    documents = [
        json.loads(line)
        for line in empty("notify", "check", words, "--show", "ShippingStarted", "--json").out.splitlines()
    ]
    shown = [document for document in documents if document["messages"]]
    assert [document["event"] for document in shown] == ["ShippingStarted"]
    assert shown[0]["messages"][0]["subject"] == "Gone: 1001"


def test_an_event_that_has_no_template_is_named_with_the_nearest(empty: Cli) -> None:
    said = empty("notify", "check", "--show", "Shipping")
    assert said.status == 3
    assert "did you mean ShippingStarted?" in said.err


def test_an_event_that_an_empty_template_silences_is_said_to_be_silenced(folder: Path, empty: Cli) -> None:
    words = own(folder, OrderPlaced="")
    said = empty("notify", "check", words, "--show", "OrderPlaced")
    assert (said.status, said.out) == (0, "")
    assert said.err.splitlines()[0] == "OrderPlaced is silenced: words/OrderPlaced.txt is empty"
    (shown,) = [
        d
        for d in empty("notify", "check", words, "--show", "OrderPlaced", "--json").documents
        if d["messages"] is not None
    ]
    assert shown == {"event": "OrderPlaced", "file": "words/OrderPlaced.txt", "problem": None, "messages": []}


def test_what_has_the_name_of_a_template_and_is_none_is_named(folder: Path, empty: Cli) -> None:
    words = Path(folder, own(folder))
    (words / "OrderPlaced.txt").symlink_to("nowhere.txt")
    (words / "OrderCancelled.txt").mkdir()
    (words / "InventoryTied.html").mkdir()
    (words / "InventoryTied.txt").write_text("Yours\n", encoding="utf-8")
    said = empty("notify", "check", "words")
    assert said.status == 1
    problems = {row["event"]: row["problem"] for row in said.tsv if row["problem"]}
    assert problems == {
        "OrderPlaced": "template words/OrderPlaced.txt cannot be read: it is a link to a file that is not there",
        "OrderCancelled": "template words/OrderCancelled.txt cannot be read: it is a folder",
        "InventoryTied": "template words/InventoryTied.html cannot be read: it is a folder",
    }

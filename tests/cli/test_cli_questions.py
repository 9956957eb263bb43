"""The questions: show, list, history, why, plan, strategies, diagram."""

from __future__ import annotations

from pathlib import Path

import pytest
from shops import KANSAS_CITY, Cli, counted, database
from worlds import rows

pytest_plugins = ["shop_fixtures"]


@pytest.fixture
def busy(cli: Cli) -> Cli:
    """1001 shipped in part from each facility, 1002 waiting, 1003 pending."""
    cli("place", "--line", "MUG:12", "--to", KANSAS_CITY, "--contact", "ann@example.org")
    cli("advance", "1001", "--until", "shipping")
    cli("place", "--line", "MUG:4", "--to", "US")
    cli("tie", "1002")
    cli("place", "--line", "CUP:1", "--to", "DE@52.5,13.4")
    return cli


def test_show_tells_from_where_each_unit_comes_and_why(busy: Cli) -> None:
    shown = busy("show", "1001", "--json").document
    assert shown["contact"] == "ann@example.org"
    assert shown["allocations"] == [
        {"facility": "DEN", "sku": "MUG", "pool": "primary", "units": 2},
        {"facility": "NYC", "sku": "MUG", "pool": "primary", "units": 10},
    ]
    assert [(s["facility"], s["units"]) for s in shown["shipments"]] == [("DEN", 2), ("NYC", 10)]
    assert shown["next"] == "deliver"
    assert {f["facility"]: f["why"] for f in shown["plan"]["facilities"]} == {"DEN": "used", "NYC": "used"}
    drawn = busy("show", "1001", human=True)
    assert "897" in drawn.out
    assert "1760" in drawn.out
    assert "why" in drawn.out
    assert drawn.err == "next: orderstate deliver 1001\n"


def test_a_way_that_is_not_known_is_no_way_of_nothing(cli: Cli) -> None:
    """At home, with only the country known, a way costs as if it were 0 m; nobody takes that for a distance."""
    cli("place", "--line", "CUP:1", "--to", "US")
    proposed = cli("plan", "1001", "--json").document["plan"]
    told = cli("tie", "1001").err
    assert "  1 CUP (back) from NYC: in the cheapest plan" in told
    assert "of the destination only the country is known" in told
    assert {(f["facility"], f["metres"]) for f in proposed["facilities"]} == {("DEN", None), ("NYC", None)}
    assert {f["metres"] for f in cli("show", "1001", "--json").document["plan"]["facilities"]} == {None}
    for command in (("show", "1001"), ("plan", "1001"), ("history", "1001")):
        assert "0.0" not in cli(*command, human=True).out
    exact = [line.split("\t") for command in ("show", "plan") for line in cli(command, "1001").out.splitlines()]
    assert [row[5] for row in exact if row[0] == "from" and len(row) > 6] == [""]
    assert [row[2] for row in exact if row[0] == "facility"] == ["", ""]
    assert cli("plan", "1001", "--check").status == 0
    assert rows(database(), "SELECT payload FROM event WHERE type = 'InventoryTied' AND payload LIKE '%,0,null,%'")
    assert cli("doctor").status == 0


def test_show_through_a_pipe_is_records_of_several_kinds(busy: Cli) -> None:
    lines = [line.split("\t") for line in busy("show", "1001").out.splitlines()]
    assert lines[0] == ["record", "value"]
    assert ["state", "shipping"] in lines
    assert ["line", "MUG", "12", "0", "12"] in lines
    (first, _) = [line for line in lines if line[0] == "from"]
    assert first[1:5] == ["DEN", "primary", "MUG", "2"]
    assert first[5].isdigit()
    assert [line[:3] for line in lines if line[0] == "shipment"] == [
        ["shipment", "DEN", "2"],
        ["shipment", "NYC", "10"],
    ]


def test_show_at_a_version_is_the_order_as_it_was(busy: Cli) -> None:
    was = busy("show", "1001@1", "--json").document
    assert (was["state"], was["version"], was["allocations"], was["contact"]) == ("pending", 1, [], None)
    assert busy("show", "1001@2", "--json").document["state"] == "inventory_tied"
    assert busy("show", "1001@9").status == 2
    assert busy("show", "1001@x").err.splitlines()[1] == "hint: orderstate show 1001@1"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), ["1003", "1002", "1001"]),
        (("--state", "backordered"), ["1002"]),
        (("--waiting",), ["1002"]),
        (("--sku", "CUP"), ["1003"]),
        (("--facility", "NYC"), ["1001"]),
        (("--older-than", "1w"), []),
        (("--older-than", "0s"), ["1001", "1002", "1003"]),
        (("--limit", "1"), ["1003"]),
        (("--after", "1003"), ["1002", "1001"]),
    ],
)
def test_list_filters(busy: Cli, filters: tuple[str, ...], expected: list[str]) -> None:
    assert [d["order"] for d in busy("list", *filters, "--json").documents] == expected
    assert [row["order"] for row in busy("list", *filters).tsv] == expected


def test_a_full_page_says_how_to_get_the_next(busy: Cli) -> None:
    page = busy("list", "--limit", "2", "--state", "pending")
    assert "more:" not in page.err
    page = busy("list", "--limit", "2", "--older-than", "0s")
    assert page.err == "more: orderstate list --older-than 0s --limit 2 --after 1002\n"
    assert [row["order"] for row in busy(*page.err.split()[2:]).tsv] == ["1003"]
    assert busy("list", "--state", "cancelled", human=True).out == "no orders\n"


def test_why_gives_every_reason_and_changes_nothing(busy: Cli) -> None:
    found = busy("why", "1001", "--as", "customer", "--json").document
    choices = {c["trigger"]: c for c in found["choices"]}
    assert found["as"] == "customer"
    assert choices["deliver"] == {"trigger": "deliver", "possible": True, "target": "delivered", "refusals": []}
    assert [r["code"] for r in choices["cancel"]["refusals"]] == ["goods_still_here", "canceller_may"]
    assert counted("refusal") == 0
    drawn = busy("why", "1001", human=True).out
    assert "deliver: possible, leads to delivered" in drawn
    assert "try: orderstate why 1001" not in drawn
    one = busy("why", "1002", "tie_inventory", human=True).out
    assert "stock does not cover MUG (wanted 4, short 4)" in one
    assert "    try: orderstate stock receive FACILITY MUG 4" in one
    assert [row["possible"] for row in busy("why", "1003", "cancel").tsv] == ["yes"]
    assert busy("why", "1001", "--as", "boss").status == 2


def test_plan_is_a_proposal_before_the_tie_and_the_stored_one_after_it(busy: Cli) -> None:
    before = busy("plan", "1003", "--json").document
    assert before["stored"] is False
    assert before["plan"]["facilities"][0]["gateway"]
    assert counted("movement") == 7  # 3 received, 2 allocated, 2 shipped: nothing by the plan
    after = busy("plan", "1001", "--json").document
    assert after["stored"] is True
    drawn = busy("plan", "1001", human=True).out
    assert "stored when it was tied" in drawn
    assert f"{after['plan']['cost'] / 1000:g}"[:4] in drawn
    busy("config", "set", "currency", "usd")
    assert "minor units of USD" in busy("plan", "1003", human=True).out
    busy("facility", "set", "DEN", "--closed")
    why = {f["facility"]: f["why"] for f in busy("plan", "1003", "--json").document["plan"]["facilities"]}
    assert why["DEN"] == "closed"
    assert any(
        line.split() == ["DEN", "closed"] or "closed" in line
        for line in busy("plan", "1003", human=True).out.splitlines()
    )


def test_strategies_are_listed_without_a_database(empty: Cli) -> None:
    found = empty("strategies", "--json")
    assert found.status == 0
    assert {"nearest", "priority"} <= {d["strategy"] for d in found.documents}
    assert all(d["doc"] for d in found.documents)


def test_the_diagram_needs_no_database(empty: Cli, folder: Path) -> None:
    drawn = empty("diagram", "--ascii")
    assert drawn.status == 0
    assert drawn.out.isascii()
    assert "pending" in drawn.out
    assert "flowchart" in empty("diagram", "--format", "mermaid").out
    assert "digraph" in empty("diagram", "--format", "dot").out
    written = empty("diagram", "--output", "flow.dot")
    assert (written.out, written.err) == ("", "flow.dot: dot written\n")
    assert "digraph" in (folder / "flow.dot").read_text(encoding="utf-8")
    assert empty("diagram", "--json").document["format"] == "terminal"
    assert empty("diagram", "--order", "1").status == 3


@pytest.mark.parametrize(
    ("options", "status"),
    [(("--format", "gif"), 2), (("-o", "no/such/x.dot"), 3)],
)
def test_a_diagram_that_cannot_be_made_says_so(empty: Cli, options: tuple[str, ...], status: int) -> None:
    refused = empty("diagram", *options)
    assert refused.status == status
    assert refused.err.startswith("error: ")


def test_the_diagram_shows_the_way_of_an_order_and_counts(busy: Cli) -> None:
    walked = busy("diagram", "--order", "1001").out
    assert "order 1001" in walked
    assert "2 tie_inventory" in walked
    assert "3 orders" in busy("diagram", "--counts").out

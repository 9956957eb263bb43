"""The commands on orders: what they do, what they print in each form, what they suggest, how they end."""

from __future__ import annotations

import json
import re

import pytest
from shops import KANSAS_CITY, Cli, counted, database
from worlds import check_database

pytest_plugins = ["shop_fixtures"]

ORDER = ("place", "--line", "MUG:3", "--to", KANSAS_CITY)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_an_order_goes_its_whole_way(cli: Cli) -> None:
    placed = cli(*ORDER, "--line", "CUP:1", "--contact", "ann@example.org", "--by", "web", human=True)
    assert (placed.status, placed.out) == (0, f"1001: placed, pending: 1 CUP, 3 MUG to {KANSAS_CITY}\n")
    assert placed.err == "next: orderstate tie 1001\n"
    tied = cli("tie", "1001", human=True)
    assert tied.out.startswith("1001: pending -> inventory_tied\n  ")
    assert "MUG" in tied.out
    assert " km" in tied.out
    assert tied.err == "next: orderstate ship 1001\n"
    shipped = cli("ship", "1001", human=True)
    assert shipped.out.startswith("1001: inventory_tied -> shipping\n")
    assert "left NYC" in shipped.out
    refused = cli("cancel", "1001", "--as", "customer")
    assert refused.status == 4
    assert refused.out == ""
    assert refused.err.splitlines()[0] == "error: goods_still_here: 1001 is shipping: cancel refused"
    assert "  canceller_may: a customer may cancel only until inventory is tied" in refused.err.splitlines()
    assert refused.err.splitlines()[-1].startswith("hint: orderstate ")
    delivered = cli("deliver", "1001", human=True)
    assert delivered.out == "1001: shipping -> delivered\n"
    assert delivered.err == "next: orderstate history 1001\n"
    history = cli("history", "1001")
    assert [row["event"] for row in history.tsv] == [
        "OrderPlaced", "InventoryTied", "ShippingStarted", "OrderDelivered", "refused",
    ]  # fmt: skip
    assert history.tsv[0]["by"] == "web"
    check_database(database())


def test_through_a_pipe_a_change_is_a_row_on_stdout_and_words_on_stderr(cli: Cli) -> None:
    cli(*ORDER)
    tied = cli("tie", "1001")
    assert tied.tsv == [{"order": "1001", "was": "pending", "state": "inventory_tied", "version": "2", "child": ""}]
    assert tied.err.startswith("1001: pending -> inventory_tied\n")
    assert tied.err.endswith("next: orderstate ship 1001\n")


def test_in_json_a_change_is_one_document_and_nothing_else(cli: Cli) -> None:
    placed = cli(*ORDER, "--json")
    assert placed.err == ""
    assert placed.document == {
        "command": "place", "order": "1001", "was": None, "state": "pending", "version": 1, "events": ["1001:1"],
        "changed": True, "exit": 0, "destination": KANSAS_CITY, "lines": [["MUG", 3]],
    }  # fmt: skip
    assert cli("--json", "tie", "1001").document["plan"]["allocations"]


def test_a_backordered_tie_ends_with_5_and_says_what_is_short(cli: Cli) -> None:
    cli("place", "--line", "MUG:20", "--line", "CUP:6", "--to", "US")
    tied = cli("tie", "1001", human=True)
    assert tied.status == 5
    assert tied.out == "1001: pending -> backordered\n  stock cannot cover it, short: 1 CUP, 8 MUG\n"
    assert tied.err.splitlines() == [
        "next: orderstate stock receive FACILITY CUP 1",
        "next: orderstate stock receive FACILITY MUG 8",
        "next: orderstate tie 1001",
    ]
    received = cli("stock", "receive", "DEN", "MUG", "8", human=True)
    assert received.out == "DEN: received 8 MUG\n  waiting for it: 1001 (20 MUG)\n"
    assert received.err == "next: orderstate tie 1001\n"
    again = cli("tie", "1001")
    assert again.status == 5
    assert again.err.startswith("error: stock_covers_order: 1001 is backordered: tie_inventory refused\n")


def test_an_order_that_must_not_wait_is_refused_with_5(cli: Cli) -> None:
    cli("place", "--line", "MUG:20", "--to", "US", "--short", "refuse")
    refused = cli("tie", "1001", "--json")
    assert refused.status == 5
    assert [b["code"] for b in refused.error["blocked"]] == ["stock_covers_order", "may_wait"]
    assert refused.error["exit"] == 5
    assert cli("show", "1001", "--json").document["state"] == "pending"


def test_an_order_that_splits_says_what_left_it(cli: Cli) -> None:
    cli("place", "--line", "MUG:20", "--to", "US", "--short", "split")
    tied = cli("tie", "1001", human=True)
    assert tied.status == 0
    assert "  short: 8 MUG, split off as 1001-2" in tied.out.splitlines()
    assert tied.err.splitlines() == ["next: orderstate ship 1001", "next: orderstate show 1001-2"]
    child = cli("show", "1001-2", "--json").document
    assert (child["parent"], child["state"], child["next"]) == ("1001", "pending", "tie_inventory")


def test_a_late_facility_is_split_off(cli: Cli) -> None:
    cli("place", "--line", "MUG:12", "--to", KANSAS_CITY)
    cli("tie", "1001")
    split = cli("split", "1001", "--facility", "NYC", human=True)
    assert split.out == "1001: 10 MUG split off as 1001-2, inventory_tied\n"
    refused = cli("split", "1001", "--facility", "DEN")
    assert refused.status == 4
    assert "nothing would be left" in refused.err


def test_a_part_is_cancelled_and_the_last_unit_cancels_the_order(cli: Cli) -> None:
    cli(*ORDER)
    cli("tie", "1001")
    part = cli("cancel", "1001", "--line", "MUG:1", "--reason", "one too many", human=True)
    assert part.out.startswith("1001: cancelled 1 MUG, the rest is inventory_tied\n  given back: 1 MUG to ")
    too_many = cli("cancel", "1001", "--line", "MUG:3")
    assert (too_many.status, too_many.err.split(":")[1]) == (4, " more_than_open")
    whole = cli("cancel", "1001", "--line", "MUG:2", human=True)
    assert whole.out.startswith("1001: inventory_tied -> cancelled\n")
    twice = cli("cancel", "1001", human=True)
    assert (twice.status, twice.out) == (0, "1001 is cancelled already; nothing was done\n")
    assert [r["what"] for r in cli("history", "1001").tsv if r["event"] == "OrderReduced"] == [
        part.out.splitlines()[0].split(": ")[1].split(",")[0]
        + "; "
        + part.out.splitlines()[1].strip().replace("given back: ", "given back ")
        + "; reason: one too many"
    ]


def test_an_order_is_redirected_and_planned_again(cli: Cli) -> None:
    cli("place", "--line", "MUG:2", "--to", "US@39.7,-105")
    cli("tie", "1001")
    moved = cli("redirect", "1001", "--to", "US@40.7,-74", human=True)
    assert moved.out.splitlines()[0] == "1001: goes to US@40.7,-74 instead of US@39.7,-105, inventory_tied"
    assert moved.out.splitlines()[1].startswith("  2 MUG from NYC, 1.")
    again = cli("redirect", "1001", "--to", "US@40.7,-74", human=True)
    assert again.out == "1001 goes to US@40.7,-74 already; nothing was done\n"


def test_untying_gives_the_stock_back(cli: Cli) -> None:
    cli("place", "--line", "CUP:5", "--to", "US")
    cli("tie", "1001")
    untied = cli("untie", "1001", "--reason", "wait", human=True)
    assert untied.out == "1001: inventory_tied -> pending\n  given back: 5 CUP to NYC\n"
    assert [row["available"] for row in cli("stock", "list", "--sku", "CUP").tsv] == ["5"]


def test_fire_takes_any_trigger_and_advance_the_main_step(cli: Cli) -> None:
    cli(*ORDER)
    assert cli("fire", "1001", "tie_inventory").tsv[0]["state"] == "inventory_tied"
    assert cli("advance", "1001").tsv[0]["state"] == "shipping"
    assert cli("fire", "1001", "untie").status == 4


def test_advance_until_prints_each_step(cli: Cli) -> None:
    cli(*ORDER)
    steps = cli("advance", "1001", "--until", "delivered", "--json")
    assert [(d["was"], d["state"]) for d in steps.documents] == [
        ("pending", "inventory_tied"),
        ("inventory_tied", "shipping"),
        ("shipping", "delivered"),
    ]
    final = cli("advance", "1001")
    assert final.status == 4
    assert final.err.startswith("error: final: 1001 is delivered: advance refused\n")


def test_after_several_steps_only_the_step_that_follows_is_suggested(cli: Cli) -> None:
    cli(*ORDER)
    assert [line for line in cli("advance", "1001", "--until", "shipping").err.splitlines() if "next" in line] == [
        "next: orderstate deliver 1001"
    ]


def test_advance_stops_where_it_is_stopped_and_keeps_the_steps_made(cli: Cli) -> None:
    cli("place", "--line", "MUG:50", "--to", "US")
    stopped = cli("advance", "1001", "--until", "shipping", human=True)
    assert stopped.status == 5
    assert stopped.out.startswith("1001: pending -> backordered\n")


def test_several_orders_are_all_attempted_and_the_first_failure_is_the_status(cli: Cli) -> None:
    for _ in range(3):
        cli("place", "--line", "MUG:1", "--to", "US")
    cli("tie", "1001", "1003")
    shipped = cli("ship", "1001", "1002", "9999", "1003", human=True)
    assert shipped.status == 4
    assert shipped.out.count("-> shipping") == 2
    assert [line.split(": ")[1] for line in shipped.err.splitlines() if line.startswith("error")] == [
        "not_from_here",
        "unknown_order",
    ]
    assert shipped.err.splitlines()[-1] == "next: orderstate deliver 1001 1003"


@pytest.mark.parametrize("extra", [("--key", "k"), ("--if-version", "1")])
def test_a_key_or_a_version_goes_with_one_order(cli: Cli, extra: tuple[str, str]) -> None:
    cli("place", "--line", "MUG:1", "--to", "US")
    cli("place", "--line", "MUG:1", "--to", "US")
    for command in ("tie", "untie", "ship", "deliver", "cancel", "advance"):
        refused = cli(command, "1001", "1002", *extra)
        assert (refused.status, refused.err.splitlines()[0]) == (
            2,
            f"error: usage: {extra[0]} goes with one order, not with 2",
        )
    assert counted("event") == 3 + 2


def test_a_known_key_repeats_the_first_answer(cli: Cli) -> None:
    first = cli(*ORDER, "--key", "web-1", "--json")
    again = cli(*ORDER, "--key", "web-1", "--json")
    assert again.out == first.out
    assert first.err == ""
    assert again.err == "repeated: the key was used before, so nothing was done now; this is the first answer\n"
    other = cli("place", "--line", "MUG:4", "--to", "US", "--key", "web-1")
    assert other.status == 10
    assert other.err.startswith("error: key_reused: ")
    assert counted("orders") == 1


@pytest.mark.parametrize(
    "command",
    [
        ("tie", "1001"),
        ("fire", "1001", "tie_inventory"),
        ("advance", "1001"),
        ("cancel", "1001"),
        ("redirect", "1001", "--to", "CA"),
        ("stock", "receive", "DEN", "MUG", "1"),
        ("stock", "adjust", "DEN", "MUG", "--by", "5"),
        ("facility", "set", "DEN", "--priority", "3"),
        ("facility", "add", "CHI", "--country", "US"),
        ("config", "set", "cost.per_km", "2"),
    ],
)
def test_every_writing_command_takes_a_key(cli: Cli, command: tuple[str, ...]) -> None:
    cli(*ORDER)
    first = cli(*command, "--key", "once", "--json")
    assert first.status == 0
    assert first.document["changed"]
    again = cli(*command, "--key", "once", "--json")
    assert again.document == first.document
    assert again.err.startswith("repeated: ")


def test_a_stale_version_is_a_conflict(cli: Cli) -> None:
    cli(*ORDER)
    cli("tie", "1001", "--if-version", "1")
    stale = cli("ship", "1001", "--if-version", "1")
    assert stale.status == 6
    assert stale.err.startswith("error: stale_version: 1001 is at version 2, not 1\n")


def test_a_sku_may_hold_colons_and_the_same_sku_is_summed(cli: Cli) -> None:
    cli("stock", "receive", "DEN", "A:B:C", "5")
    placed = cli("place", "--line", "A:B:C:2", "--line", "A:B:C:1", "--to", "US", "--json")
    assert placed.document["lines"] == [["A:B:C", 3]]


def test_what_was_looked_at_is_counted_in_words_that_fit(cli: Cli) -> None:
    cli(*ORDER)
    for number, said in ((1, "1 tied order looked at; 0 "), (2, "2 tied orders looked at; 0 ")):
        cli("place", "--line", "CUP:1", "--to", KANSAS_CITY)
        assert cli("tie", str(1001 + number)).status == 0
        assert cli("tie", "--again", "--all").err.startswith(said)


def test_a_refusal_offers_nothing_that_is_always_refused(cli: Cli) -> None:
    cli(*ORDER)
    cli("advance", "1001", "--until", "shipping")
    refused = cli("tie", "1001")
    assert "  not_from_here: tie_inventory does not lead out of shipping; possible from here: deliver\n" in refused.err
    (blocked,) = cli("tie", "1001", "--json").error["blocked"]
    assert blocked["values"] == {"state": "shipping", "instead": ["deliver"]}
    cli("place", "--line", "MUG:99", "--to", "US", "--short", "refuse")
    told = {row["trigger"]: row["sentence"] for row in cli("why", "1002").tsv}
    assert told["ship"] == "ship does not lead out of pending; possible from here: cancel"
    choices = {c["trigger"]: c for c in cli("why", "1002", "deliver", "--json").document["choices"]}
    assert choices["deliver"]["refusals"][0]["values"]["instead"] == ["cancel"]


def test_options_limit_the_plan(cli: Cli) -> None:
    cli("place", "--line", "MUG:2", "--to", "US@39.7,-105")
    plan = cli("plan", "1001", "--only", "NYC", "--json").document["plan"]
    assert {a["facility"] for a in plan["allocations"]} == {"NYC"}
    assert {f["facility"]: f["why"] for f in plan["facilities"]}["DEN"] == "not_among_only"
    tied = cli("tie", "1001", "--exclude", "DEN", "--json").document
    assert tied["plan"]["allocations"] == [["NYC", "MUG", "primary", 2]]
    cli("place", "--line", "MUG:9", "--to", "US@39.7,-105")
    assert cli("plan", "1002", "--max-shipments", "1", "--json").document["plan"]["short"] == {"MUG": 1}
    assert cli("plan", "1002", "--complete", "--json").document["plan"]["short"] == {}
    assert cli("plan", "1002", "--whole-lines", "--json").document["plan"]["short"] == {"MUG": 9}
    narrowed = cli("tie", "1002", "--max-shipments", "1")
    assert narrowed.status == 5
    assert "may_wait: the plan was limited by the caller" in narrowed.err
    assert cli("tie", "1002", "--strategy", "nearest", "--json").document["plan"]["strategy"] == "nearest"


def test_hints_and_next_commands_name_the_database_that_the_command_named(cli: Cli) -> None:
    named = ("--db", "sqlite:///orderstate.db?timeout=2")
    placed = cli(*named, *ORDER)
    quoted = "orderstate --db 'sqlite:///orderstate.db?timeout=2'"
    assert placed.err.splitlines()[-1] == f"next: {quoted} tie 1001"
    cli(*named, "advance", "1001", "--until", "shipping")
    refused = cli(*named, "cancel", "1001")
    assert refused.err.splitlines()[-1] == f"hint: {quoted} why 1001"
    assert cli(*named, "--json", "cancel", "1001").error["hint"] == f"{quoted} why 1001"
    cli(*named, "place", "--line", "MUG:900000", "--to", "US", "--short", "refuse")
    why = cli(*named, "why", "1002", "tie_inventory")
    assert why.tsv[0]["remedy"].startswith(f"{quoted} stock receive FACILITY MUG ")


def test_times_in_json_are_iso_8601_with_microseconds(cli: Cli) -> None:
    cli(*ORDER)
    cli("advance", "1001", "--until", "shipping")
    cli("cancel", "1001")
    shown = cli("show", "1001", "--json").document
    history = cli("history", "1001", "--json").document
    cli("place", "--line", "CUP:9", "--to", "US")
    cli("tie", "1002")
    waiting = cli("stock", "receive", "DEN", "CUP", "1", "--json").document["waiting"]
    times = [
        shown["placed_at"],
        shown["entered_at"],
        shown["shipments"][0]["shipped_at"],
        *(e["at"] for e in history["events"]),
        history["refusals"][0]["first_at"],
        history["refusals"][0]["last_at"],
        waiting[0]["placed_at"],
        cli("list", "--json").documents[0]["entered_at"],
    ]
    assert all(TIME.fullmatch(t) for t in times), times


def test_json_is_accepted_before_and_after_the_command(cli: Cli) -> None:
    cli(*ORDER)
    assert cli("--json", "show", "1001").out == cli("show", "1001", "--json").out
    assert cli("stock", "list", "--json").out == cli("stock", "--json", "list").out
    json.loads(cli("--json", "show", "1001").out)

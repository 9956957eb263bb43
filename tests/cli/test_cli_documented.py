"""docs/cli.md knows every command, every option and every exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from shops import Cli

from orderstate import cli as program
from orderstate import errors
from orderstate.cli_commands import completion
from orderstate.cli_commands.failing import Interrupted, UsageError
from orderstate.history.mapping import built_in
from orderstate.machine import standard
from orderstate.model import POOLS, ROLES, SHORT_POLICIES

pytest_plugins = ["shop_fixtures"]

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = {" ".join(path): command for path, command in program.commands()}
_HEADING = r"^### `orderstate (.*)`$"
SECTIONS = dict(zip(re.findall(_HEADING, DOCS, re.M), re.split(_HEADING, DOCS, flags=re.M)[2::2], strict=True))
SHAPES = [
    (("init",), ("--db", "new.db", "init")),
    (("tie",), ("tie", "1002")),
    (("show",), ("show", "1001")),
    (("list",), ("list", "--limit", "1")),
    (("history",), ("history", "1001")),
    (("why",), ("why", "1001", "deliver")),
    (("plan",), ("plan", "1001")),
    (("diagram",), ("diagram",)),
    (("facility", "add"), ("facility", "add", "CHI", "--country", "US")),
    (("facility", "list"), ("facility", "list")),
    (("stock", "receive"), ("stock", "receive", "DEN", "CUP", "1")),
    (("stock", "adjust"), ("stock", "adjust", "DEN", "MUG", "--by", "1")),
    (("stock", "list"), ("stock", "list", "--sku", "CUP")),
    (("config", "get"), ("config", "get", "markets")),
    (("config", "set"), ("config", "set", "cost.per_km", "2")),
    (("work",), ("work",)),
    (("events", "show"), ("events", "show", "1001:1")),
    (("events", "replay"), ("events", "replay", "1001:1")),
    (("events", "skip"), ("events", "skip", "1001:1", "--to", "sourcing")),
    (("subscribers", "list"), ("subscribers", "list")),
    (("subscribers", "on"), ("subscribers", "on", "fulfilment")),
    (("relay",), ("relay", "--to", "events.ndjson")),
    (("doctor",), ("doctor",)),
    (("db", "upgrade"), ("db", "upgrade")),
]
EVERYWHERE = {"--json", "--help"}


def options(name: str) -> set[str]:
    """The long options of a command, and the short ones."""
    return {o for p in COMMANDS[name].params if p.param_type_name == "option" for o in (*p.opts, *p.secondary_opts)}


def test_there_are_commands() -> None:
    assert {"place", "stock adjust", "import orders", "db upgrade"} <= set(COMMANDS)
    assert len(COMMANDS) > 35


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if not isinstance(c, program.Family)])
def test_every_command_has_its_section_with_every_option(name: str) -> None:
    assert name in SECTIONS
    missing = {o for o in options(name) - EVERYWHERE if not re.search(rf"(?<![\w-]){o}(?![\w-])", SECTIONS[name])}
    assert missing == set()


def test_no_section_describes_a_command_that_is_not_there() -> None:
    assert set(SECTIONS) <= set(COMMANDS)


def test_every_option_in_the_synopsis_of_a_command_is_there() -> None:
    for name, text in SECTIONS.items():
        named = set(
            re.findall(
                r"(?<![\w-])--[a-z][a-z-]*", "".join(re.findall(r"^    orderstate .*(?:\n {10,}.*)*", text, re.M))
            )
        )
        assert named <= options(name), name


def test_the_global_options_are_documented() -> None:
    for option in options(""):
        assert option in DOCS


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_command_takes_json_and_every_option_says_what_it_means(command: object) -> None:
    params = {o: p for p in command.params for o in p.opts}  # type: ignore[attr-defined]  # typer's own class
    assert "--json" in params
    assert all(getattr(p, "help", None) for o, p in params.items()), [o for o, p in params.items() if not p.help]


def test_every_exit_status_is_documented() -> None:
    known = {0, Interrupted.exit_status, UsageError.exit_status}
    known |= {
        e.exit_status for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.OrderstateError)
    }
    table = {int(n) for n in re.findall(r"^\| (\d+) \|", DOCS, re.M)}
    assert table == known


def example(text: str) -> Any:
    """The first JSON example of a text, whose `{...}` stands for what is told elsewhere."""
    block = re.search(r"^    \{.*(?:\n     .*)*", text, re.M)
    assert block is not None
    return json.loads(block.group().replace("{...}", "{}"))


def keys(document: Any) -> Any:
    """The names in a document, at any depth where it has some."""
    if isinstance(document, dict):
        return {name: keys(value) for name, value in document.items()}
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return keys(document[0])
    return None


def agrees(shown: Any, found: Any) -> bool:
    """Whether every name of the example is there, and at the top no other is."""
    if not isinstance(shown, dict) or not isinstance(found, dict) or not shown or not found:
        return True
    return set(shown) <= set(found) and all(agrees(shown[name], found[name]) for name in shown)


@pytest.mark.parametrize(("section", "command"), SHAPES, ids=lambda words: " ".join(words))
def test_the_json_of_a_command_has_the_documented_names(
    cli: Cli, section: tuple[str, ...], command: tuple[str, ...]
) -> None:
    cli("place", "--line", "MUG:12", "--to", "US@39.1,-94.58")
    cli("tie", "1001")
    cli("split", "1001", "--facility", "NYC")
    cli("ship", "1001")
    cli("cancel", "1001")
    cli("place", "--line", "CUP:9", "--to", "US")
    if section != ("tie",):
        cli("tie", "1002")
    text = SECTIONS[" ".join(section)] if section != ("tie",) else DOCS.split("## Orders")[1]
    documents = cli(*command, "--json").documents
    shown, found = keys(example(text)), keys(documents[0])
    if section == ("tie",):
        shown.pop("plan")
        assert set(shown) <= set(found)
    else:
        assert set(shown) == set(found)
        assert agrees(shown, found)


def test_tab_knows_the_names_of_the_flow_and_of_the_values() -> None:
    machine = standard()
    assert tuple(machine.states) == completion.STATES
    assert machine.triggers == completion.TRIGGERS
    assert (ROLES, SHORT_POLICIES, POOLS) == (completion.ROLES, completion.POLICIES, completion.POOLS)
    assert built_in() == completion.MAPS

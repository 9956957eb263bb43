"""The walls of the house: which room may know which, and where third parties live. Told by the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from worlds import World

import orderstate

HOUSE = Path(str(orderstate.__file__)).parent
MODULES = sorted(HOUSE.rglob("*.py"))

FLOORS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"scenario", "history", "events", "render", "diagram", "testing", "telemetry"},
    {"engine"},
    {"machine", "flow", "allocation", "geo", "settings", "store"},
    {"guards", "addresses"},
    {"model", "outputs", "plugins"},
    {"errors", "lazily"},
]
"""From the roof down. Arrows point down; `orderstate/__init__.py` hands out names of every room and stands outside."""

SIDEWAYS = {
    ("allocation", "geo"),
    ("allocation", "settings"),
    ("geo", "settings"),
    ("store", "geo"),
    ("flow", "machine"),
    ("render", "events"),
    ("render", "scenario"),
    ("scenario", "events"),
    ("testing", "render"),
    ("testing", "scenario"),
}
"""The arrows between rooms of one floor that are meant. Never store and machine, never allocation and store."""

THIRD_PARTIES: dict[str, set[str]] = {
    "transitions": {"machine"},
    "sqlmodel": {"store"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "psycopg": {"store"},
    "sqlite3": {"store"},
    "typer": {"cli"},
    "rich": {"cli", "render"},
    "highspy": {"allocation"},
    "scipy": {"allocation"},
    "yaml": {"flow", "history", "scenario"},
    "matplotlib": {"history"},
    "pygraphviz": {"diagram"},
    "pytest": {"testing"},
    "nats": {"events"},
    "confluent_kafka": {"events"},
    "aio_pika": {"events"},
    "aiormq": {"events"},
    "redis": {"events"},
    "opentelemetry": {"telemetry"},
}
"""The only rooms that may import them. sqlite3 is no third party, but SQL has one room too."""

ROWS = {"deliveries", "orders", "stock", "events", "network", "statements", "compiled", "tables", "spool"}
"""The parts of the store that read and write rows; the command line uses the others only, to care for the database."""


def room(path: Path) -> str:
    """The room that a module belongs to; cli.py and cli_* are one room."""
    name = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    return "cli" if name.startswith("cli_") else name


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every name that a module imports, inside its functions too, as `package.module.name`."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(found)


def arrows() -> set[tuple[str, str]]:
    """(room, room that it knows)."""
    found = {
        (room(path), "cli" if name.split(".")[1].startswith("cli_") else name.split(".")[1])
        for path in MODULES
        for name in imported(path)
        if name.startswith("orderstate.") and name != "orderstate.__version__"
    }
    return {(here, there) for here, there in found if here != there and here != "__init__"}


def test_every_room_is_on_the_plan() -> None:
    rooms = {room(path) for path in MODULES} - {"__init__"}
    assert rooms <= set().union(*FLOORS)
    assert {"cli", "engine", "machine", "allocation", "store", "guards", "model", "errors"} <= rooms


def test_arrows_point_down() -> None:
    floor = {name: number for number, rooms in enumerate(FLOORS) for name in rooms}
    known = arrows()
    assert len(known) > 30
    up = {(here, there) for here, there in known if floor[there] < floor[here]}
    level = {(here, there) for here, there in known if floor[there] == floor[here]}
    assert (up, level - SIDEWAYS) == (set(), set())


def test_the_arrows_along_one_floor_make_no_circle() -> None:
    known = {arrow for arrow in SIDEWAYS if arrow in arrows()}
    while known:
        ends = {there for _, there in known} - {here for here, _ in known}
        assert ends, f"these know each other in a circle: {sorted(known)}"
        known = {(here, there) for here, there in known if there not in ends}


def test_errors_import_nothing_and_values_only_the_standard_library() -> None:
    known = arrows()
    assert not [there for here, there in known if here == "errors"]
    assert not [there for here, there in known if here == "model"]


def test_the_strangers_live_in_their_rooms_only() -> None:
    strangers = {
        (name.split(".")[0], room(path))
        for path in MODULES
        for name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names - {"sqlite3"}
    }
    strangers = {(who, where) for who, where in strangers if who not in ("orderstate", "_typeshed")}
    assert {who for who, _ in strangers} <= set(THIRD_PARTIES), "a third party must be given its room here first"
    assert {(who, where) for who, where in strangers if where not in THIRD_PARTIES[who]} == set()
    assert {("transitions", "machine"), ("sqlmodel", "store"), ("sqlite3", "store")} <= strangers


def test_the_command_line_touches_no_rows() -> None:
    touched = {
        name.split(".")[2]
        for path in MODULES
        if room(path) == "cli"
        for name in imported(path)
        if name.startswith("orderstate.store.")
    }
    assert touched & ROWS == set()


def test_only_the_command_line_prints_and_nobody_imports_the_laws_for_tests() -> None:
    assert not [here for here, there in arrows() if there == "testing"]
    printing = {
        room(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing <= {"cli", "render"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_module_fits_in_a_head(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines < 450 or path.name == "compiled.py"


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "helper", "manager", "base", "common"}


# The front door


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert orderstate.__all__ == sorted(orderstate.__all__)
    assert len(set(orderstate.__all__)) == len(orderstate.__all__)
    for name in orderstate.__all__:
        assert getattr(orderstate, name).__name__ == name
    assert set(orderstate.__all__) <= set(dir(orderstate))


def test_type_checkers_see_the_same_public_names() -> None:
    tree = ast.parse((HOUSE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    seen = [alias.asname or alias.name for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names]
    assert sorted(seen) == orderstate.__all__


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Enginge'"):
        orderstate.Enginge  # noqa: B018 - asking is the point


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has imported after running `code`."""
    shown = f"{code}\nimport sys\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_no_database_and_no_third_party() -> None:
    ours = {name for name in modules_after("import orderstate") if name.startswith("orderstate")}
    assert ours == {"orderstate", "orderstate.lazily"}
    assert modules_after("import orderstate").isdisjoint({*THIRD_PARTIES, "pydantic"})


def test_errors_and_values_can_be_had_without_the_engine() -> None:
    found = modules_after("from orderstate import NotFound, Order, Plan, Refusal")
    assert {name for name in found if name.startswith("orderstate")} == {
        "orderstate", "orderstate.errors", "orderstate.lazily", "orderstate.model",
    }  # fmt: skip


def test_an_everyday_command_imports_no_sqlalchemy(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=9)
    code = f"""
from orderstate import Engine
with Engine.open({str(world.path)!r}) as engine:
    order = engine.place({{"MUG": 1}}, "US@40,-100", key="k").order
    engine.tie(order)
    engine.ship(order)
    engine.show(order), engine.orders(), engine.why(order), engine.history(order), list(engine.stock())
"""
    found = modules_after(code)
    assert "orderstate.engine.engine" in found
    unwanted = {"sqlalchemy", "sqlmodel", "pydantic", "alembic", "typer", "rich", "yaml", "importlib.metadata"}
    assert found.isdisjoint(unwanted)
    assert world.rows("SELECT state FROM orders") == [("shipping",)]

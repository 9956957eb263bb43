"""The world of a scenario, from its nodes: the clock, the flow, settings, facilities and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orderstate.engine.reading import read as read_command
from orderstate.errors import OrderstateError
from orderstate.flow.reading import STANDARD_NAME, from_node
from orderstate.flow.reading import load as load_flow
from orderstate.flow.tree import Mark, Node, placed
from orderstate.model import BACK, POOLS, PRIMARY, Flow
from orderstate.scenario import nodes
from orderstate.scenario.collecting import Collecting
from orderstate.scenario.nodes import Field
from orderstate.scenario.script import StockRow, World
from orderstate.scenario.vocabulary import FACILITY, HELD, MOMENT_EXPECTED, WORLD, moment
from orderstate.settings import SETTINGS, parse

_FLOW = "standard, a flow file beside this one, or a flow itself"


def flow_of(node: Node, field: str, folder: Path) -> tuple[Flow | None, str | None]:
    """(flow, how the file names it). None and None is the standard flow, None as the name a flow that stands here.

    Raises what flow files raise, at their own lines.
    """
    if node.fields is not None:
        return from_node(node, "flow", folder), None
    name = nodes.text(node, field, _FLOW)
    if name == STANDARD_NAME:
        return None, None
    file = folder / name
    if not file.is_file():
        beside = sorted(file.parent.glob("*.y*ml")) if file.parent.is_dir() else []
        known = [STANDARD_NAME, *(str(Path(name).parent / path.name) for path in beside)]
        nodes.fail(node, field, name, f"a flow file: there is no {file}", known)
    return load_flow(file), name


class Planting:
    """One world on its way; `marks` says where its parts stand."""

    def __init__(self, folder: Path, collecting: Collecting) -> None:
        self.folder = folder
        self.collecting = collecting
        self.marks: dict[tuple[str, ...], Mark] = {}

    def world(self, node: Node | None) -> World | None:
        """The world; without a node the empty one. What cannot be read of it is collected, and left out.

        None where that is what steps name: facilities, or the flow.
        """
        if node is None:
            return World()
        before = len(self.collecting.mistakes)
        given: dict[str, Field] = {}
        with self.collecting:
            given = nodes.fields(node, "world", WORLD, "the world")
        found: dict[str, Any] = {}
        with self.collecting:
            if "flow" in given:
                self.marks["flow",] = given["flow"].value.mark
                found["flow"], found["flow_file"] = flow_of(given["flow"].value, "world.flow", self.folder)
        with self.collecting:
            if "facilities" in given:
                found["facilities"] = self.facilities(given["facilities"].value)
        named = len(self.collecting.mistakes) == before
        for part, read in (("clock", self.clock), ("unchecked", self.unchecked), ("settings", self.settings)):
            with self.collecting:
                if part in given:
                    found[part] = read(given[part].value)
        with self.collecting:
            if "stock" in given and named:
                found["stock"] = self.stock(given["stock"].value, list(found.get("facilities", ())))
        return World(**found) if named else None

    def unchecked(self, node: Node) -> bool:
        """Whether the flow is in force although the check refuses it."""
        return nodes.flag(node, "world.unchecked")

    def clock(self, node: Node) -> int:
        """When the scenario begins, in UTC microseconds."""
        found = moment(nodes.text(node, "world.clock", MOMENT_EXPECTED))
        if found is None:
            nodes.fail(node, "world.clock", node.text, MOMENT_EXPECTED)
        return found

    def settings(self, node: Node) -> dict[str, str]:
        """Settings by name, each as the text that `config set` takes."""
        found: dict[str, str] = {}
        for name, field in nodes.mapping(node, "world.settings", "a mapping of settings to values"):
            if name not in SETTINGS:
                nodes.fail(field.mark, "world.settings", name, "a setting: orderstate config list", SETTINGS)
            # `markets: ""` is a value as well.
            value = field.value.text
            if value is None:
                nodes.fail(field.value, name, nodes.shown(field.value), SETTINGS[name].unit)
            try:
                found[name] = parse(name, value)
            except OrderstateError as error:
                raise placed(error, field.value.mark) from error
            self.marks["settings", name] = field.value.mark
        return found

    def facilities(self, node: Node) -> dict[str, dict[str, Any]]:
        """Facilities by code, with the fields of the command facility_add."""
        found: dict[str, dict[str, Any]] = {}
        for code, field in nodes.mapping(node, "world.facilities", "a mapping of codes to facilities"):
            where = f"facilities.{code}"
            given = nodes.fields(field.value, where, FACILITY, "a facility")
            if "country" not in given:
                nodes.fail(field.value, f"{where}.country", None, "an ISO 3166 code such as US")
            found[code] = {name: nodes.plain(name, one.value) for name, one in given.items()}
            self.marks["facilities", code] = field.value.mark
            for name, one in given.items():
                self.marks["facilities", code, name] = one.value.mark
            try:
                read_command({"command": "facility_add", "facility": code, **found[code]})
            except OrderstateError as error:
                raise placed(error, field.mark) from error
        return found

    def stock(self, node: Node, codes: list[str]) -> tuple[StockRow, ...]:
        """What each facility holds, a row for each pool that is named."""
        found: list[StockRow] = []
        for code, held in nodes.mapping(node, "world.stock", "a mapping of facilities to what they hold"):
            if code not in codes:
                nodes.fail(held.mark, "world.stock", code, "one of the facilities of the world", codes)
            for sku, field in nodes.mapping(held.value, f"stock.{code}", "a mapping of SKUs to units"):
                rows = _rows(code, sku, field, f"stock.{code}.{sku}")
                try:
                    # As one command, so that the engine says what a SKU is and what is too much.
                    items = [[row.sku, row.pool, row.units, row.safety, row.grams] for row in rows]
                    read_command({"command": "count", "facility": code, "items": items})
                except OrderstateError as error:
                    raise placed(error, field.mark) from error
                self.marks["stock", code, sku] = field.mark
                found += rows
        return tuple(found)


def _rows(code: str, sku: str, field: Field, where: str) -> list[StockRow]:
    """`10`, or `{primary: 3, back: 20, safety: 1, grams: 250}`; of several pools `safety: {primary: 1, back: 2}`."""
    node = field.value
    if node.fields is None:
        return [StockRow(code, sku, nodes.whole(node, where))]
    given = nodes.fields(node, where, HELD, "what a facility holds of a SKU")
    units = {pool: nodes.whole(given[pool].value, f"{where}.{pool}") for pool in POOLS if pool in given}
    if not units:
        nodes.fail(node, where, "no units", "units, such as 10, {primary: 10} or {back: 10}")
    safety: dict[str, int] = {}
    if "safety" in given:
        kept = given["safety"].value
        if kept.fields is None:
            pool = PRIMARY if PRIMARY in units else BACK
            safety[pool] = nodes.whole(kept, f"{where}.safety")
        else:
            of_pools = nodes.fields(kept, f"{where}.safety", units, "the safety stock, one for each pool with units")
            safety = {pool: nodes.whole(one.value, f"{where}.safety.{pool}") for pool, one in of_pools.items()}
    grams = nodes.whole(given["grams"].value, f"{where}.grams") if "grams" in given else None
    return [StockRow(code, sku, n, pool, safety.get(pool), grams) for pool, n in units.items()]

"""Scenario files: YAML to Scenario. Every mistake names file, line, column, the field, the value and what would do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.flow.tree import Node, grow, parse_all, placed, text_of, wrong
from orderstate.scenario import nodes
from orderstate.scenario.collecting import Collecting
from orderstate.scenario.planting import Planting
from orderstate.scenario.script import Scenario, Step
from orderstate.scenario.stepping import Stepping
from orderstate.scenario.vocabulary import SCENARIO

MOST_TITLE = 200
ENDING = ".scenario.yaml"


def load(path: str | Path) -> Scenario:
    """The scenario of a file. Raises NotFound, and InvalidInput, also where the file holds several."""
    return _only(load_all(path), str(path))


def load_all(path: str | Path) -> tuple[Scenario, ...]:
    """Every scenario of a file, whose documents `---` separates.

    Raises NotFound where there is no such file, and InvalidInput for the first thing that cannot be read, with line and
    column.
    """
    return _sound(examine(path))


def read(text: str, name: str = "scenario", folder: str | Path = ".") -> Scenario:
    """The scenario that YAML describes. `name` stands for a file in errors; flow files are looked up in `folder`."""
    return _only(read_all(text, name, folder), name)


def read_all(text: str, name: str = "scenario", folder: str | Path = ".") -> tuple[Scenario, ...]:
    """Every scenario of a YAML text. Raises what `load_all` raises."""
    return _sound(examine_text(text, name, folder))


def examine(path: str | Path) -> tuple[tuple[Scenario, ...], tuple[OrderstateError, ...]]:
    """(the scenarios of a file that can be read, what is wrong with the others): title, world, steps.

    Of each part of the world and of each step the first mistake is told. Raises nothing for what is in the file.
    """
    file = Path(path)
    try:
        text = _contents(file)
    except OrderstateError as error:
        return (), (error,)
    return examine_text(text, str(path), file.parent)


def examine_text(
    text: str, name: str = "scenario", folder: str | Path = "."
) -> tuple[tuple[Scenario, ...], tuple[OrderstateError, ...]]:
    """The same of a YAML text. `name` and `folder` as for `read`."""
    mistakes: list[OrderstateError] = []
    found: list[Scenario] = []
    try:
        documents = parse_all(text, name, "scenario")
    except OrderstateError as error:
        return (), (error,)
    if not documents:
        sentence = f"{name} holds no scenario: a scenario with a title and steps is scenario: TITLE, steps: [...]"
        return (), (wrong("invalid_input", sentence, name, None, "a scenario"),)
    for node in documents:
        scenario = _scenario(node, name, Path(folder), Collecting(mistakes))
        if scenario is not None:
            found.append(scenario)
    return tuple(found), tuple(mistakes)


def _sound(examined: tuple[tuple[Scenario, ...], tuple[OrderstateError, ...]]) -> tuple[Scenario, ...]:
    scenarios, mistakes = examined
    for mistake in mistakes:
        raise mistake
    return scenarios


def from_document(document: Mapping[str, object], *, name: str = "scenario", folder: str | Path = ".") -> Scenario:
    """The scenario of a JSON document, such as `document` makes. Raises InvalidInput, which names the field."""
    mistakes: list[OrderstateError] = []
    found = _scenario(grow(document, name), name, Path(folder), Collecting(mistakes))
    if found is None:
        raise mistakes[0]
    return found


def _only(found: tuple[Scenario, ...], name: str) -> Scenario:
    if len(found) > 1:
        second = found[1].mark
        raise placed(InvalidInput(name, len(found), "one scenario: load_all and read_all take several"), second)
    return found[0]


def _scenario(node: Node, name: str, folder: Path, collecting: Collecting) -> Scenario | None:
    """The scenario, or None where something is wrong with it, which is collected then."""
    before = len(collecting.mistakes)
    with collecting:
        given = nodes.fields(node, "scenario", SCENARIO, "a scenario")
    if len(collecting.mistakes) > before:
        return None
    for field, expected in (("scenario", "the title of the scenario"), ("steps", "the steps, in a list")):
        with collecting:
            if field not in given:
                nodes.fail(node, field, None, expected)
    title, about = "", None
    with collecting:
        title = _title(given["scenario"].value) if "scenario" in given else ""
    with collecting:
        about = nodes.text(given["about"].value, "about", "words about the scenario") if "about" in given else None
    planting = Planting(folder, collecting)
    world = planting.world(given["world"].value if "world" in given else None)
    # Without its facilities or its flow, every step that names one would be called wrong.
    steps = _steps(given["steps"].value, Stepping(world, folder), collecting) if world and "steps" in given else ()
    if world is None or len(collecting.mistakes) > before:
        return None
    return Scenario(
        title=title,
        steps=steps,
        world=world,
        about=about,
        source=name,
        folder=folder,
        mark=node.mark,
        marks=planting.marks,
    )


def _title(node: Node) -> str:
    title = nodes.text(node, "scenario", "a title on one line")
    if not title.isprintable() or len(title) > MOST_TITLE:
        nodes.fail(node, "scenario", title, f"a title on one line of at most {MOST_TITLE} characters")
    return title


def _steps(node: Node, stepping: Stepping, collecting: Collecting) -> tuple[Step, ...]:
    """The steps that can be read. What one that cannot would have made counts as made, so that it is told once."""
    found: list[Step] = []
    with collecting:
        if not node.items:
            nodes.fail(node, "steps", nodes.shown(node) if node.items is None else [], "a list of at least one step")
    for number, item in enumerate(node.items or (), 1):
        before = len(collecting.mistakes)
        with collecting:
            found.append(stepping.step(item, number))
        if len(collecting.mistakes) > before and not stepping.lost(item):
            break
    return tuple(found)


def _contents(file: Path) -> str:
    try:
        return text_of(file, "scenario")
    except FileNotFoundError as missing:
        beside = sorted(file.parent.glob(f"*{ENDING}")) if file.parent.is_dir() else []
        raise NotFound.named(
            "scenario file", str(file), [str(path) for path in beside], hint="orderstate scenario generate"
        ) from missing

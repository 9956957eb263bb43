"""Scenario files: YAML to Scenario. Every mistake names file, line, column, the field, the value and what would do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orderstate.errors import InvalidInput, NotFound
from orderstate.flow.tree import Node, grow, parse_all, placed, wrong
from orderstate.scenario import nodes
from orderstate.scenario.planting import Planting
from orderstate.scenario.script import Scenario
from orderstate.scenario.stepping import Stepping
from orderstate.scenario.vocabulary import SCENARIO

MOST_TITLE = 200
ENDING = ".scenario.yaml"


def load(path: str | Path) -> Scenario:
    """The scenario of a file. Raises NotFound, and InvalidInput, also where the file holds several."""
    return _only(load_all(path), str(path))


def load_all(path: str | Path) -> tuple[Scenario, ...]:
    """Every scenario of a file, whose documents `---` separates.

    Raises NotFound where there is no such file, and InvalidInput for what cannot be read, with line and column.
    """
    file = Path(path)
    return read_all(_contents(file), str(path), file.parent)


def read(text: str, name: str = "scenario", folder: str | Path = ".") -> Scenario:
    """The scenario that YAML describes. `name` stands for a file in errors; flow files are looked up in `folder`."""
    return _only(read_all(text, name, folder), name)


def read_all(text: str, name: str = "scenario", folder: str | Path = ".") -> tuple[Scenario, ...]:
    """Every scenario of a YAML text. Raises what `load_all` raises."""
    found = parse_all(text, name, "scenario")
    if not found:
        sentence = f"{name} holds no scenario: a scenario with a title and steps is scenario: TITLE, steps: [...]"
        raise wrong("invalid_input", sentence, name, None, "a scenario")
    return tuple(_scenario(node, name, Path(folder)) for node in found)


def from_document(document: Mapping[str, object], *, name: str = "scenario", folder: str | Path = ".") -> Scenario:
    """The scenario of a JSON document, such as `document` makes. Raises InvalidInput, which names the field."""
    return _scenario(grow(document, name), name, Path(folder))


def _only(found: tuple[Scenario, ...], name: str) -> Scenario:
    if len(found) > 1:
        second = found[1].mark
        raise placed(InvalidInput(name, len(found), "one scenario: load_all and read_all take several"), second)
    return found[0]


def _scenario(node: Node, name: str, folder: Path) -> Scenario:
    given = nodes.fields(node, "scenario", SCENARIO, "a scenario")
    for field, expected in (("scenario", "the title of the scenario"), ("steps", "the steps, in a list")):
        if field not in given:
            nodes.fail(node, field, None, expected)
    title = nodes.text(given["scenario"].value, "scenario", "a title on one line")
    if not title.isprintable() or len(title) > MOST_TITLE:
        nodes.fail(
            given["scenario"].value, "scenario", title, f"a title on one line of at most {MOST_TITLE} characters"
        )
    about = nodes.text(given["about"].value, "about", "words about the scenario") if "about" in given else None
    planting = Planting(folder)
    world = planting.world(given["world"].value if "world" in given else None)
    steps = given["steps"].value
    if not steps.items:
        nodes.fail(steps, "steps", nodes.shown(steps) if steps.items is None else [], "a list of at least one step")
    stepping = Stepping(world, folder)
    return Scenario(
        title=title,
        steps=tuple(stepping.step(item, number) for number, item in enumerate(steps.items, 1)),
        world=world,
        about=about,
        source=name,
        folder=folder,
        mark=node.mark,
        marks=planting.marks,
    )


def _contents(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as missing:
        beside = sorted(file.parent.glob(f"*{ENDING}")) if file.parent.is_dir() else []
        raise NotFound.named(
            "scenario file", str(file), [str(path) for path in beside], hint="orderstate scenario generate"
        ) from missing
    except UnicodeDecodeError as error:
        raise InvalidInput(str(file), error.object[error.start : error.start + 8], "text in UTF-8") from error
    except OSError as error:
        raise InvalidInput("scenario file", str(file), f"a file that can be read: {error.strerror}") from error

"""The pictures in the documents are what the program draws today.

`python tests/diagram/test_diagram_images.py` draws them anew.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orderstate import Engine
from orderstate.cli import run
from orderstate.diagram import picture

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC, in microseconds."""
HOUR = 3_600_000_000
KANSAS_CITY = "US@39.1,-94.58"
NUMBER = re.compile(r"-?\d+\.?\d*")


class Clock:
    """Tells the hours since noon that it was set to."""

    def __init__(self) -> None:
        self.hours = 0.0

    def __call__(self) -> int:
        return NOON + round(self.hours * HOUR)


@contextmanager
def shop(file: Path) -> Iterator[tuple[Engine, Clock]]:
    """A shop with one facility that has two units."""
    clock = Clock()
    with Engine.create(file, clock=clock) as engine:
        engine.add_facility("DENVER", country="US", at="39.86,-104.67")
        engine.receive("DENVER", "MUG", 2)
        yield engine, clock


def late(folder: Path) -> bytes:
    """An order that waited for stock, as `orderstate diagram --order 1001 -o order.svg` draws it."""
    with shop(folder / "late.db") as (engine, clock):
        engine.place({"MUG": 3}, KANSAS_CITY)
        clock.hours = 0.25
        engine.tie("1001")
        clock.hours = 20.5
        engine.receive("DENVER", "MUG", 10)
        clock.hours = 20.75
        engine.tie("1001")
    assert run(["--db", str(folder / "late.db"), "diagram", "--order", "1001", "-o", str(folder / "order.svg")]) == 0
    return (folder / "order.svg").read_bytes()


def busy(folder: Path) -> bytes:
    """A shop after two days, with the times that it has on its own clock."""
    with shop(folder / "busy.db") as (engine, clock):
        engine.receive("DENVER", "MUG", 100)
        for number in range(12):
            clock.hours = number * 4
            order = str(engine.place({"MUG": 200 if number in (2, 7) else 4}, KANSAS_CITY).order)
            if number < 9:
                engine.tie(order)
            if number in (0, 1, 3, 4, 5):
                engine.ship(order)
            if number in (0, 1):
                engine.deliver(order)
        clock.hours = 49
        engine.cancel("1010")
        return picture(engine.flow, None, engine.tallies())


def of_file(name: str) -> bytes:
    """The flow of an example, as `orderstate diagram --flow FILE -o NAME.svg` draws it."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{name}.svg"
        assert run(["diagram", "--flow", str(ROOT / "examples" / "flows" / f"{name}.yaml"), "-o", str(target)]) == 0
        return target.read_bytes()


MADE: dict[str, Callable[[Path], bytes]] = {
    "standard.svg": lambda _: of_file("standard"),
    "payment.svg": lambda _: of_file("payment"),
    "order.svg": late,
    "counts.svg": busy,
}


@pytest.mark.parametrize("name", MADE)
def test_the_picture_in_the_documents_is_what_is_drawn_today(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pygraphviz")
    kept, made = ((IMAGES / name).read_text(encoding="utf-8"), MADE[name](tmp_path).decode())
    # Another release of Graphviz may place a line a little elsewhere; what is drawn stays the same.
    assert NUMBER.sub("#", made) == NUMBER.sub("#", kept)
    for new, old in zip(NUMBER.findall(made), NUMBER.findall(kept), strict=True):
        assert float(new) == pytest.approx(float(old), abs=6)


def test_every_picture_is_made_here_and_shown_in_a_document() -> None:
    assert {path.name for path in IMAGES.iterdir()} == set(MADE)
    told = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    for name in MADE:
        assert f"images/{name})" in told


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for image, make in MADE.items():
        with tempfile.TemporaryDirectory() as place:
            (IMAGES / image).write_bytes(make(Path(place)))

"""Fixtures: a database is made once per session and copied for each test that asks for a world."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import World

from orderstate import Engine


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new, empty database, in one file and closed: to be copied, never opened.

    It plans with `nearest`, so that what a test expects does not depend on costs.
    """
    path = tmp_path_factory.mktemp("template") / "template.db"
    with Engine.create(path) as engine:
        engine.configure("strategy", "nearest")
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    """An empty database of the test's own."""
    return Path(shutil.copyfile(template, tmp_path / "orderstate.db"))


@pytest.fixture
def world(database: Path) -> Iterator[World]:
    """An empty world: `world.facility("DEN", "39.74,-104.99", MUG=10)`, then `world.order(MUG=2)`."""
    made = World(database)
    yield made
    made.close()

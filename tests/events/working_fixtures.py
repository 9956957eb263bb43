"""What the tests of the work loop share: worlds whose clock is held."""

from __future__ import annotations

from collections.abc import Iterator

import doers
import pytest
from worlds import World

from orderstate.engine.reader import microseconds


@pytest.fixture
def nothing_planned() -> Iterator[None]:
    """Nothing is left of what another test planned."""
    doers.forget()
    yield
    doers.forget()


@pytest.fixture
def still(world: World) -> World:
    """A world whose clock stands still unless a test moves it."""
    world.clock.step = 0
    return world


@pytest.fixture
def now(world: World) -> World:
    """A world whose clock is the system's, for two threads at once."""
    world.engine.clock = microseconds
    return world

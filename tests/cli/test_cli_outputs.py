"""What commands write: to files, to standard output, and where they cannot."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from shops import Cli

from orderstate import outputs
from orderstate.errors import OrderstateError

pytest_plugins = ["shop_fixtures"]

ROOT = Path(__file__).parents[2]
STORY = str(ROOT / "examples" / "story.scenario.yaml")
PROGRAM = [sys.executable, "-m", "orderstate"]
pictured = pytest.mark.skipif(find_spec("pygraphviz") is None, reason="pygraphviz is not installed")
KIB = 1024


def program(
    *arguments: str, closed: Sequence[int] = (), most: int | None = None, out: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The program itself: with descriptors that the caller closed, with files of at most so many bytes."""

    def prepare() -> None:
        for number in closed:
            os.close(number)
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [*PROGRAM, *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        preexec_fn=prepare,
        timeout=60,
    )


# Standard output


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_event_that_a_pipe_did_not_take_is_still_on_its_way(cli: Cli, folder: Path, unbuffered: str) -> None:
    lines = '{"lines": {"MUG": 1}, "to": "US"}\n' * 300
    assert cli("place", "--file", "-", stdin=lines.encode()).status == 0
    reading, writing = os.pipe()
    started = subprocess.Popen(
        [*PROGRAM, "relay", "--to", "-"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writing)
    assert os.read(reading, 1), "it fills the pipe, and waits in the middle of a write"
    os.close(reading)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 6
    assert b"broker_down: standard output cannot be written: Broken pipe" in said
    done = program("relay", "--to", "-")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 303)


@pytest.mark.parametrize("form", ["svg", pytest.param("png", marks=pictured), "dot"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_drawing_that_stdout_takes_only_in_part_is_an_error(folder: Path, form: str, unbuffered: str) -> None:
    if form == "svg" and find_spec("pygraphviz") is None:
        pytest.skip("pygraphviz is not installed")
    whole = len(program("diagram", "--format", form).stdout)
    with (folder / "out").open("wb") as out:
        # The picture's own temporary files must fit: stdout is nearly full already.
        limit = 200 * KIB
        out.truncate(limit - whole // 2)
        out.seek(0, os.SEEK_END)
        done = program("diagram", "--format", form, out=out.fileno(), most=limit, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (1, b"error: system: File too large\n")


def test_streams_that_the_caller_closed_are_no_fault_of_the_program(cli: Cli) -> None:
    cli("place", "--line", "MUG:1", "--to", "US")
    relayed = program("relay", "--to", "-", closed=[1])
    assert relayed.returncode == 6
    assert relayed.stderr.startswith(b"error: broker_down: standard output cannot be written: Bad file descriptor\n")
    assert not [line for line in cli("subscribers", "list").out.splitlines() if line.startswith("-\t")]
    for command in (("diagram", "--format", "dot"), ("list",), ("schema", "flow"), ("--version",), ("--help",)):
        done = program(*command, closed=[1])
        assert (done.returncode, done.stderr) == (0, b"")
    for command in (("run", "-"), ("place", "--file", "-")):
        done = program(*command, closed=[0])
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: usage: standard input is closed")
    consumed = program("consume", "--from", "-", closed=[0])
    assert consumed.returncode == 4
    assert b"standard input cannot be read: Bad file descriptor" in consumed.stderr


@pictured
def test_a_picture_for_a_stdout_that_is_closed_goes_nowhere(folder: Path) -> None:
    done = program("diagram", "--format", "png", closed=[1])
    assert (done.returncode, done.stderr) == (0, b"")


# Files


@pictured
def test_a_drawing_that_cannot_be_finished_leaves_the_older_one(folder: Path) -> None:
    (folder / "flow.png").write_bytes(b"older")
    done = program("diagram", "-o", "flow.png", most=30 * KIB)
    assert done.returncode == 1
    assert done.stderr.startswith(
        (b"error: disk_full: flow.png cannot be written: File too large", b"error: disk_full: the folder")
    )
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("flow.png", b"older")]


def orders(*of: str) -> bytes:
    return (
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n" + "".join(of)
    ).encode()


def writing(option: str) -> list[tuple[str, ...]]:
    """Every command that writes a file that is named, with the option and what goes before the name."""
    return [
        ("diagram", "-o", option),
        ("run", STORY, "--junit", option),
        ("import", "orders", "h.csv", "--report", option),
        ("simulate", "h.csv", "--facilities", "f.csv", "--stock", "s.csv", "--csv", option),
    ]


@pytest.fixture
def ready(cli: Cli, folder: Path) -> Cli:
    row = "536365,MUG,HOLDER,6,2010-12-01 08:26:00,2.55,17850,United States\n"
    (folder / "h.csv").write_bytes(orders(row))
    (folder / "f.csv").write_text("code,country\nDEN,US\n", encoding="utf-8")
    (folder / "s.csv").write_text("facility,sku,on_hand\nDEN,MUG,9\n", encoding="utf-8")
    return cli


@pytest.mark.parametrize("name", [".", "./", "..", "/"])
def test_a_folder_is_no_file_to_write(ready: Cli, name: str) -> None:
    for command in writing(name):
        refused = ready(*command)
        assert (refused.status, refused.out) == (2, "")
        assert refused.err.splitlines()[0].endswith(f": {name} is a folder, not a file")
    assert ready("diagram", "-o", "").err.startswith("error: invalid_input: -o: the name is empty")


def test_a_folder_that_is_not_there_is_not_found_whatever_is_written(ready: Cli) -> None:
    new = [
        ("history", "1001", "--as-scenario", "-o", "nowhere/x.yaml"),
        ("run", STORY, "--keep-db", "nowhere/x.yaml"),
        ("--db", "nowhere/x.yaml", "init"),
    ]
    ready("place", "--line", "MUG:1", "--to", "US")
    for command in [*writing("nowhere/x.svg"), *new]:
        refused = ready(*command)
        assert refused.status == 3, refused.err
        assert refused.err.startswith("error: no_folder: there is no folder nowhere\nhint: mkdir -p nowhere\n")


def test_what_cannot_be_written_is_refused_with_the_name_and_the_cause(
    ready: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "an inner name")

    ready("place", "--line", "MUG:1", "--to", "US")
    before = sorted(path.name for path in folder.iterdir() if not path.name.startswith("orderstate.db-"))
    monkeypatch.setattr(outputs.Output, "_open_draft", refuse)
    monkeypatch.setattr(Path, "touch", refuse)
    new = [("history", "1001", "--as-scenario", "-o", "x.yaml"), ("run", STORY, "--keep-db", "x.yaml")]
    for command in [*writing("x.yaml")[:1], *writing("x.xml")[1:], *new, ("--db", "x.yaml", "init")]:
        given = command[1] if command[0] == "--db" else command[-1]
        options = ("--format", "dot") if command[0] == "diagram" else ()
        refused = ready(*command, *options)
        assert (refused.status, refused.out) == (4, "")
        assert refused.err == f"error: read_only: {given} cannot be written: Read-only file system\n"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("orderstate.db-")) == before


def test_the_report_of_an_import_that_is_broken_off_leaves_the_older_one(
    ready: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (folder / "left.csv").write_text("older", encoding="utf-8")
    monkeypatch.setattr("orderstate.history.replay.Replay.place_all", interrupt)
    assert ready("import", "orders", "h.csv", "--bad", "keep", "--report", "left.csv").status == 130
    assert (folder / "left.csv").read_text(encoding="utf-8") == "older"
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".orderstate-")]


# Scenarios into a folder


@pytest.mark.parametrize("there", [True, False])
def test_scenarios_that_are_broken_off_leave_no_file_and_can_be_made_again(
    empty: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        (folder / "made").mkdir()
        (folder / "made" / "mine").touch()
    kept = 0
    real = outputs.Output.keep

    def interrupt(output: outputs.Output) -> None:
        nonlocal kept
        kept += 1
        if kept == 3:
            raise KeyboardInterrupt
        real(output)

    with monkeypatch.context() as patched:
        patched.setattr(outputs.Output, "keep", interrupt)
        stopped = empty("scenario", "generate", "-o", "made")
    assert (stopped.status, kept) == (130, 3)
    assert stopped.err == "interrupted; every file was written, or none\n"
    assert [str(path.relative_to(folder)) for path in folder.rglob("*")] == (["made", "made/mine"] if there else [])
    assert empty("scenario", "generate", "-o", "made").status == 0


# The demo


def test_the_demo_ends_with_the_step_that_was_interrupted(empty: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orderstate.engine.Engine.create", interrupt)
    stopped = empty("demo")
    assert stopped.status == 130
    assert stopped.out.count("$ orderstate") == 1
    assert "no_database" not in stopped.out
    assert [document["exit"] for document in empty("demo", "--json").documents] == [130]


def test_the_demo_ends_with_the_step_that_failed_and_goes_on_after_the_refusal_that_it_shows(
    empty: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert empty("demo", "--json").documents[-1]["command"] == "orderstate diagram --order 1001"

    def full(*_: object, **__: object) -> None:
        raise OrderstateError("the disk is full", code="disk_full")

    monkeypatch.setattr("orderstate.engine.Engine.execute", full)
    failed = empty("demo")
    assert failed.status == 1
    assert failed.out.rstrip().endswith("error: disk_full: the disk is full")


def test_a_signal_ends_the_demo(folder: Path) -> None:
    started = subprocess.Popen([*PROGRAM, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline().startswith(b"# A new database")
    started.send_signal(signal.SIGINT)
    shown, _ = started.communicate(timeout=60)
    assert started.returncode == 130
    assert b"no_database" not in shown


# Temporary files


def test_a_full_folder_for_temporary_files_is_named(
    cli: Cli, folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    cli("place", "--line", "MUG:1", "--to", "US")
    cli("tie", "1001")
    for command in (("run", STORY), ("history", "1001", "--as-scenario")):
        done = program(*command, most=40 * KIB, TMPDIR=str(elsewhere))
        assert done.returncode == 1
        assert done.stderr.decode() == (
            f"error: disk_full: the folder for temporary files is full: {elsewhere}\n"
            "hint: TMPDIR=FOLDER names one with more room\n"
        )
        assert list(elsewhere.iterdir()) == []


def test_a_step_of_a_scenario_that_finds_no_room_is_no_answer_to_it(
    empty: Cli, folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))

    def full(engine: object, command: object) -> None:
        raise OrderstateError("the disk is full", code="disk_full", path=str(engine.store.path))  # type: ignore[attr-defined]  # an engine

    shutil.copy(STORY, "story.scenario.yaml")
    monkeypatch.setattr("orderstate.engine.Engine.execute", full)
    failed = empty("run", "story.scenario.yaml")
    assert failed.status == 1
    assert failed.err.startswith(f"error: disk_full: the folder for temporary files is full: {elsewhere}\n")


@pytest.mark.parametrize("most", [1, 20, 60, 100])
def test_a_database_for_which_there_is_no_room_is_named_as_it_was_given(folder: Path, most: int) -> None:
    done = program("--db", "new.db", "init", most=most * KIB)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: damaged: new.db could not be read or written: disk I/O error\n")
    assert list(folder.iterdir()) == []

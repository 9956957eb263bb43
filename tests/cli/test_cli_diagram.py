"""`orderstate diagram`: formats, files, pictures through a pipe, counts with times, flow files, and what is refused."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pexpect
import pytest
from shops import KANSAS_CITY, Cli

pytest_plugins = ["shop_fixtures"]

FLOWS = Path(__file__).parents[2] / "examples" / "flows"
GIFTS = Path(__file__).parents[1] / "diagram" / "flows" / "gifts.yaml"
PNG = b"\x89PNG\r\n\x1a\n"
pictured = pytest.mark.skipif(find_spec("pygraphviz") is None, reason="pygraphviz is not installed")


def program(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The program itself, its output in bytes."""
    return subprocess.run(
        [sys.executable, "-m", "orderstate", *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env=os.environ | environment,
        timeout=60,
    )


@pictured
@pytest.mark.parametrize(("name", "begins"), [("flow.svg", b"<svg"), ("flow.png", PNG), ("FLOW.PDF", b"%PDF-")])
def test_the_name_of_the_file_chooses_the_format(empty: Cli, folder: Path, name: str, begins: bytes) -> None:
    written = empty("diagram", "-o", name)
    assert (written.status, written.out) == (0, "")
    assert written.err == f"{name}: {name[-3:].casefold()} written\n"
    assert (folder / name).read_bytes().startswith(begins)


@pictured
def test_the_format_wins_over_the_name(empty: Cli, folder: Path) -> None:
    assert empty("diagram", "--format", "PNG", "-o", "flow.svg").status == 0
    assert (folder / "flow.svg").read_bytes().startswith(PNG)


@pictured
def test_an_svg_is_text_on_stdout_and_a_png_bytes_in_a_pipe(empty: Cli, folder: Path) -> None:
    assert empty("diagram", "--format", "svg", human=True).out.startswith("<svg")
    piped = program("diagram", "--format", "png", folder=folder)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert piped.stdout.startswith(PNG)


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_a_terminal_is_not_filled_with_bytes(empty: Cli, form: str) -> None:
    refused = empty("diagram", "--format", form, human=True)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.splitlines() == [
        f"error: usage: a {form.upper()} is no text for a terminal: name a file with -o, or pipe it",
        f"hint: orderstate diagram -o flow.{form}",
    ]


def test_a_real_terminal_is_told_the_same(folder: Path) -> None:
    said, status = pexpect.run(
        f"{sys.executable} -m orderstate diagram --format png", withexitstatus=True, cwd=str(folder), timeout=60
    )
    assert status == 2
    assert b"name a file with -o" in said


@pictured
def test_json_has_a_png_in_base64(empty: Cli) -> None:
    document = empty("diagram", "--format", "png", "--json", human=True).document
    assert base64.b64decode(document["drawing"]).startswith(PNG)
    assert empty("diagram", "--format", "svg", "--json").document["drawing"].startswith("<svg")


@pictured
def test_pictures_take_orders_and_counts(cli: Cli) -> None:
    cli("place", "--line", "MUG:2", "--to", KANSAS_CITY)
    cli("place", "--line", "MUG:1", "--to", KANSAS_CITY)
    cli("tie", "1001")
    walked = cli("diagram", "--order", "1001", "--format", "svg").out
    assert "<title>order 1001 · inventory tied" in walked
    assert "2 tie_inventory" in walked
    counted = cli("diagram", "--counts", "--format", "svg").out
    assert "<title>standard flow · 2 orders</title>" in counted
    assert re.search(r">for \d+ s<", counted)


def test_counts_tell_how_long_in_every_form(cli: Cli) -> None:
    for _ in range(3):
        cli("place", "--line", "MUG:1", "--to", KANSAS_CITY)
    for form in ("terminal", "mermaid", "dot"):
        drawn = cli("diagram", "--counts", "--format", form).out
        assert "3 orders" in drawn
        assert re.search(r"oldest \d+ s", drawn)
    counts = cli("diagram", "--counts", "--json").document["counts"]
    assert counts["pending"]["orders"] == 3
    assert 0 <= counts["pending"]["median_seconds"] <= counts["pending"]["oldest_seconds"] < 600
    assert counts["shipping"] == {"orders": 0, "oldest_seconds": None, "median_seconds": None}
    assert cli("diagram", "--json").document["counts"] is None


def test_a_flow_file_is_drawn_without_a_database(empty: Cli) -> None:
    drawn = empty("diagram", "--flow", str(FLOWS / "payment.yaml"))
    assert drawn.status == 0
    assert drawn.out.startswith("payment flow\n")
    assert "payment authorised" in drawn.out
    assert "awaiting payment    after 24h: cancel\n" in drawn.out
    assert empty("diagram", "--flow", str(FLOWS / "payment.yaml"), "--json").document["flow"] == "payment"


def test_counts_on_a_flow_file_show_whom_it_would_strand(cli: Cli, folder: Path) -> None:
    cli("place", "--line", "MUG:99", "--to", KANSAS_CITY)
    assert cli("tie", "1001").status == 5
    (folder / "flow.yaml").write_text(
        "name: short\nextends: standard\nremove: {states: [backordered]}\n", encoding="utf-8"
    )
    drawn = cli("diagram", "--flow", "flow.yaml", "--counts")
    assert drawn.status == 0, drawn.err
    assert drawn.out.endswith("in states that this flow lacks\n  backordered  1 order\n")


def test_a_flow_file_that_is_not_there_or_broken_is_an_error(empty: Cli, folder: Path) -> None:
    assert empty("diagram", "--flow", "nowhere.yaml").status == 3
    (folder / "flow.yaml").write_text("name: [", encoding="utf-8")
    broken = empty("diagram", "--flow", "flow.yaml")
    assert broken.status == 2
    assert "flow.yaml:2:1" in broken.err


def test_an_order_is_drawn_on_the_flow_in_force_only(cli: Cli) -> None:
    refused = cli("diagram", "--order", "1001", "--flow", str(FLOWS / "payment.yaml"))
    assert refused.status == 2
    assert "--order goes with the flow in force" in refused.err


def test_an_order_that_was_placed_under_another_flow_is_drawn_as_placed_where_it_was(cli: Cli) -> None:
    cli("place", "--line", "MUG:1", "--to", KANSAS_CITY)
    used = cli("flow", "use", str(GIFTS))
    assert used.status == 0, used.err
    drawn = cli("diagram", "--order", "1001").out
    assert "* 1 placed =># pending " in drawn
    assert drawn.count("1 placed") == 1
    assert '    start ==>|"1 placed"| s1\n' in cli("diagram", "--order", "1001", "--format", "mermaid").out
    thick = [
        line for line in cli("diagram", "--order", "1001", "--format", "dot").out.splitlines() if "1 placed" in line
    ]
    assert len(thick) == 1
    assert thick[0].startswith('        "start" -> "pending" [')


@pytest.mark.parametrize("options", [("--format", "svg"), ("-o", "flow.png"), ("-o", "flow.pdf")])
def test_without_the_extra_the_way_to_it_is_told(
    empty: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    refused = empty("diagram", *options)
    assert (refused.status, refused.out) == (9, "")
    assert "error: not_installed: a picture needs pygraphviz, which is not installed" in refused.err
    assert "hint: pip install 'orderstate[diagram]'" in refused.err
    assert list(folder.iterdir()) == []


def test_text_needs_no_extra(empty: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    for form in ("terminal", "mermaid", "dot"):
        assert empty("diagram", "--format", form).status == 0


@pictured
def test_a_picture_into_a_folder_that_is_not_there_is_one_error(empty: Cli) -> None:
    refused = empty("diagram", "-o", "nowhere/flow.svg")
    assert refused.status == 3
    assert refused.err == "error: no_folder: there is no folder nowhere\nhint: mkdir -p nowhere\n"


# Files that are not to be lost


def test_a_file_whose_ending_says_no_format_is_refused_with_those_that_do(empty: Cli, folder: Path) -> None:
    for name in ("flow.jpg", "flow.xyz", "flow"):
        refused = empty("diagram", "-o", name)
        assert refused.status == 2
        assert ".txt, .mmd, .mermaid, .dot, .gv, .svg, .png, .pdf" in refused.err
        assert "orderstate diagram -o flow.svg" in refused.err
        assert not (folder / name).exists()
    assert empty("diagram", "-o", "flow.jpg", "--format", "terminal").status == 0
    assert empty("diagram", "-o", "flow.txt").err == "flow.txt: terminal written\n"


def test_hints_draw_what_was_asked_for(empty: Cli, cli: Cli, folder: Path) -> None:
    (folder / "ours.yaml").write_text((FLOWS / "patient.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    ours = ("diagram", "--flow", "ours.yaml")
    assert "hint: orderstate diagram --flow ours.yaml --ascii -o x.svg, or say which --format\n" in (
        empty(*ours, "--ascii", "-o", "x.jpg").err
    )
    assert empty(*ours, "--format", "pdf", human=True).err.endswith(
        "hint: orderstate diagram --flow ours.yaml -o flow.pdf\n"
    )
    assert empty(*ours, "--format", "gif").err.endswith("hint: orderstate diagram --flow ours.yaml --format mermaid\n")
    assert empty(*ours, "--counts", "--format", "dot", "-o", "ours.yaml").err.endswith(
        "hint: orderstate diagram --flow ours.yaml --counts -o ours.svg\n"
    )
    refused = cli("--db", "shop.db", "diagram", "--order", "1001", "-o", "x.jpg").err
    assert "hint: orderstate --db shop.db diagram --order 1001 -o x.svg, or say which --format\n" in refused


def test_a_drawing_takes_the_place_of_an_older_one_but_never_of_its_flow(empty: Cli, folder: Path) -> None:
    source = (FLOWS / "patient.yaml").read_text(encoding="utf-8")
    (folder / "ours.yaml").write_text(source, encoding="utf-8")
    (folder / "same.dot").symlink_to("ours.yaml")
    for name in ("ours.yaml", "./ours.yaml", "same.dot"):
        refused = empty("diagram", "--flow", "ours.yaml", "--format", "dot", "-o", name)
        assert refused.status == 2
        assert "is the flow file itself" in refused.err
        assert (folder / "ours.yaml").read_text(encoding="utf-8") == source
    for _ in range(2):
        assert empty("diagram", "--flow", "ours.yaml", "-o", "ours.dot").status == 0


def test_the_standard_flow_has_its_name_wherever_a_file_is_asked_for(empty: Cli, folder: Path) -> None:
    assert empty("diagram", "--flow", "standard", "--format", "dot").out == empty("diagram", "--format", "dot").out
    checked = empty("flow", "check", "standard", "--exhaustive", human=True)
    assert checked.status == 0
    assert "proved in 2961 situations" in checked.out
    assert empty("flow", "diff", "standard", "standard").status == 0


@pictured
def test_signs_without_a_glyph_are_told_for_png_only(empty: Cli, folder: Path) -> None:
    text = "extends: standard\nstates: {pending: {stock: free, label: \u5f85\u3064}}\n"
    (folder / "ours.yaml").write_text(text, encoding="utf-8")
    told = empty("diagram", "--flow", "ours.yaml", "-o", "ours.png").err
    assert told.count("no glyph for \u5f85, \u3064;") == 1
    assert empty("diagram", "--flow", "ours.yaml", "-o", "ours.svg").err == "ours.svg: svg written\n"


@pictured
def test_arrows_that_are_not_drawn_are_told(empty: Cli, folder: Path) -> None:
    states = ", ".join(f"a{n}: {{stock: free}}" for n in range(90))
    lines = [f"  - {{trigger: t{n}, from: a{n}, to: a{n + 1}, event: OrderMoved}}\n" for n in range(89)]
    text = f"extends: standard\nstates: {{{states}}}\ntransitions:\n{''.join(lines)}"
    (folder / "ours.yaml").write_text(text, encoding="utf-8")
    told = empty("diagram", "--flow", "ours.yaml", "-o", "ours.svg").err
    assert "94 arrows are told below the drawing: so many lines could not be followed\n" in told

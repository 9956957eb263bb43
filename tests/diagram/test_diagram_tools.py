"""The programs that read these drawings agree that they say what the flow says: Graphviz, and Mermaid's own parser.

Graphviz comes with pygraphviz. Mermaid is looked for, not required: it needs node, and a folder with
`npm install mermaid jsdom` done in it: ORDERSTATE_MERMAID=/that/folder pytest tests/diagram
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from orderstate.diagram import Step, Walk, dot, mermaid
from orderstate.diagram.pictures import paint
from orderstate.machine import STANDARD
from orderstate.model import Flow, GuardUse, State, Stock, Transition

NODE = shutil.which("node")
MERMAID = os.environ.get("ORDERSTATE_MERMAID", "")

graphviz = pytest.mark.skipif(find_spec("pygraphviz") is None, reason="pygraphviz is not installed")
mermaid_js = pytest.mark.skipif(
    NODE is None or not (Path(MERMAID) / "node_modules" / "mermaid").is_dir(),
    reason="node, or a folder with mermaid and jsdom that ORDERSTATE_MERMAID names, is not there",
)

ODD = Flow(
    name='od"d <&>\\',
    initial="a\\",
    states=(
        State("a\\", Stock.FREE),
        State('b"<i>\\N', Stock.FREE),
        State("1. foo", Stock.TIED, label='<b>x & "y"</b> #35; `z` 1. _e_ **b** [c](d)'),
        State("- end", Stock.GONE, final=True),
        State("x\ny]", Stock.FREE, label="- end;style a:#b;"),
        State("start", Stock.FREE, label="1) café 日本 😀"),
    ),
    transitions=(
        Transition('go --> | "x"', ("a\\",), "1. foo", "Went", (GuardUse("g<&>"),)),
        Transition("end", ("1. foo",), "- end", "Ended"),
        Transition("#quot; & &amp; \\N \\G \\", ("a\\",), 'b"<i>\\N', "Went"),
        Transition("%%{init}", ("1. foo", "a\\"), "x\ny]", "Went"),
        Transition("call() click", ("x\ny]", "start"), "x\ny]", "Went"),
    ),
    path=('go --> | "x"', "end"),
)
SHOWN = {state.name: state.label or state.name for state in ODD.states}
TAKEN = Walk(
    'web: "1\\" #1 --- <b>',
    "inventory_tied",
    (
        Step(None, None, "pending", 1_795_348_800_000_000, 1),
        Step("tie_inventory", "pending", "inventory_tied", 1_795_348_920_000_000, 2),
    ),
)


def rendered(text: str, form: str) -> bytes:
    """What Graphviz makes of it."""
    return paint(text, form)[0]


def parsed(text: str) -> dict[str, Any]:
    """The vertices and edges that Mermaid's parser finds, texts decoded as it would show them."""
    script = """
        import {createRequire} from "node:module";
        import {readFileSync} from "node:fs";
        import {pathToFileURL} from "node:url";
        const need = createRequire(process.env.ORDERSTATE_MERMAID + "/here.js");
        const {JSDOM} = need("jsdom");
        const {window} = new JSDOM("");
        globalThis.window = window;
        globalThis.document = window.document;
        const home = process.env.ORDERSTATE_MERMAID + "/node_modules/mermaid/dist/mermaid.core.mjs";
        const mermaid = (await import(pathToFileURL(home))).default;
        const text = readFileSync(0, "utf8");
        await mermaid.parse(text);
        const {db} = await mermaid.mermaidAPI.getDiagramFromText(text);
        const plain = (text) => (text ?? "").replace(/ﬂ°°(\\d+)¶ß/g, (_, code) => String.fromCodePoint(+code));
        const vertices = [...db.getVertices().values()].map((v) => [v.id, plain(v.text), v.classes]);
        const drawn = db.getEdges().filter((e) => e.stroke !== "invisible");
        const edges = drawn.map((e) => [e.start, plain(e.text), e.end, e.stroke, (e.style ?? []).join()]);
        console.log(JSON.stringify({vertices, edges}));
    """
    run = subprocess.run(
        [str(NODE), "--input-type=module", "-e", script],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ORDERSTATE_MERMAID": str(Path(MERMAID).resolve())},
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@graphviz
def test_graphviz_reads_back_every_odd_name_and_arrow() -> None:
    svg = rendered(dot(ODD), "svg").decode()
    texts = {html.unescape(text).strip() for text in re.findall(r"<text [^>]*>(.*?)</text>", svg)}
    for shown in SHOWN.values():
        assert shown in texts
    for transition in ODD.transitions:
        assert transition.trigger in texts
    assert any("[g<&>]" in text for text in texts)
    graph = json.loads(rendered(dot(ODD), "json0"))
    assert len([thing for thing in graph["objects"] if "nodes" not in thing]) == len(ODD.states) + 1
    assert len(graph["edges"]) == sum(len(t.sources) for t in ODD.transitions) + 1


@graphviz
def test_graphviz_keeps_the_main_path_straight() -> None:
    lines = rendered(dot(STANDARD), "plain").decode().splitlines()
    across = {line.split()[1]: float(line.split()[2]) for line in lines if line.startswith("node")}
    path = [across[name] for name in ("start", "pending", "inventory_tied", "shipping", "delivered")]
    assert max(path) - min(path) < 0.1  # inches
    assert across["backordered"] - max(path) > 1


@graphviz
def test_graphviz_draws_what_was_taken_thick_and_the_rest_dashed() -> None:
    graph = json.loads(rendered(dot(STANDARD, TAKEN), "json0"))
    names = [node["name"] for node in graph["objects"]]
    thick = {
        (names[e["tail"]], names[e["head"]]) for e in graph["edges"] if e.get("penwidth") == "3" and "style" not in e
    }
    assert thick == {("start", "pending"), ("pending", "inventory_tied")}
    assert sum(edge.get("style") == "dashed" for edge in graph["edges"]) == len(graph["edges"]) - 2


@mermaid_js
def test_mermaid_reads_back_every_odd_name_and_arrow() -> None:
    found = parsed(mermaid(ODD))
    ids = {text.split("<br>")[0]: name for name, text, _ in found["vertices"]}
    shown = {name: label.replace("\n", "\\n") for name, label in SHOWN.items()}
    assert set(shown.values()) <= set(ids)
    arrows = {(start, text, end) for start, text, end, _, _ in found["edges"] if start != "start"}
    assert arrows == {
        (ids[shown[source]], t.trigger, ids[shown[t.target]]) for t in ODD.transitions for source in t.sources
    }


@mermaid_js
def test_mermaid_draws_what_was_taken_thick_and_the_rest_dotted() -> None:
    found = parsed(mermaid(STANDARD, TAKEN))
    texts = {name: text.split("<br>")[0] for name, text, _ in found["vertices"]}
    thick = {(texts[start].strip(), text) for start, text, _, stroke, style in found["edges"] if stroke == "thick"}
    assert thick == {("", "1 placed"), ("pending", "2 tie_inventory")}
    assert all("stroke-width:3px" in style for *_, stroke, style in found["edges"] if stroke == "thick")
    assert {stroke for *_, stroke, _ in found["edges"]} == {"thick", "dotted"}
    present = [text for _, text, classes in found["vertices"] if "present" in classes]
    assert present == ["inventory tied<br>stock tied · now"]


@mermaid_js
def test_mermaid_shows_all_that_is_told_below() -> None:
    found = parsed(mermaid(STANDARD))
    told = next(text for name, text, _ in found["vertices"] if name == "notes")
    assert "[goods_still_here, canceller_may(customer=free, operator=tied, system=tied)]" in told
    assert told.endswith("Where a trigger has several targets, the first whose guards agree is taken.")
    found = parsed(mermaid(STANDARD, TAKEN))
    told = next(text for name, text, _ in found["vertices"] if name == "notes")
    assert "thick · taken, with the number of the event<br>solid, green · possible now<br>dashed · neither" in told

"""Drawings that other programs lay out: Mermaid (GitHub, most wikis) and Graphviz dot.

Colours say what a state means for stock. They carry their own text colour, so they read on white and on black; what was
taken is also thicker, and what was not is dotted, so nothing depends on colour alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orderstate.diagram.chart import Edge, Node, Walk, chart, describe, guard_rows, moment, named, printable, titles
from orderstate.model import Stock

if TYPE_CHECKING:
    from orderstate.model import Flow

# fill, frame, text
_STOCK_COLOURS = {
    Stock.FREE: ("#e0f2fe", "#0284c7", "#0c4a6e"),
    Stock.TIED: ("#fef3c7", "#d97706", "#78350f"),
    Stock.GONE: ("#ede9fe", "#7c3aed", "#4c1d95"),
}
_TAKEN = "#ea580c"
_QUIET = "#6b7280"
_MERMAID_CONFIG = ("config:", "  flowchart:", "    wrappingWidth: 480")
"""Pixels: the guards of a trigger stay on one line."""


def mermaid(flow: Flow, walk: Walk | None = None, counts: Mapping[str, int] | None = None) -> str:
    """The flow, or one order's walk on it, as a Mermaid flowchart, ending with a newline.

    A flowchart, because a state diagram cannot style a single edge. Raises NotFound when the walk's present state is
    not one of the flow's.
    """
    drawn = chart(flow, walk, counts)
    lines = ["---", *_MERMAID_CONFIG, "---", "flowchart TB", '    start((" ")):::start']
    if walk is not None:
        lines.insert(1, f'title: "{_yaml(_caption(flow, walk))}"')
    for node in drawn.nodes:
        opening, closing = ('(["', '"])') if node.final else ('("', '")')
        text = "<br/>".join(map(_mermaid_text, describe(node)))
        lines.append(f"    s{node.number}{opening}{text}{closing}:::{node.stock}")
    placed = f'|"{_mermaid_text(named("placed", drawn.placed))}"|' if drawn.placed else ""
    lines.append(f"    start {_link(drawn.placed, walk)}{placed} s0")
    for edge in drawn.edges:
        text = _mermaid_text(named(edge.trigger, edge.taken))
        lines.append(f'    s{edge.source} {_link(edge.taken, walk)}|"{text}"| s{edge.target}')
    guards = "<br/>".join(_mermaid_text(" ".join(row)) for row in guard_rows(flow, params=False))
    if guards:
        lines.append(f'    guards["{guards}"]:::guards')
        lines.append(f"    classDef guards fill:transparent,stroke:{_QUIET},stroke-dasharray:3 3")
    lines += [
        f"    classDef {stock} fill:{fill},stroke:{frame},color:{text}"
        for stock, (fill, frame, text) in _STOCK_COLOURS.items()
    ]
    lines.append(f"    classDef start fill:{_QUIET},stroke:{_QUIET}")
    for name, style, chosen in (
        ("visited", f"stroke:{_TAKEN},stroke-width:2px", [n for n in drawn.nodes if n.visited and not n.present]),
        ("present", f"stroke:{_TAKEN},stroke-width:5px", [n for n in drawn.nodes if n.present]),
    ):
        if chosen:
            lines.append(f"    classDef {name} {style}")
            lines.append(f"    class {','.join(f's{node.number}' for node in chosen)} {name}")
    taken = [i for i, numbers in enumerate((drawn.placed, *(edge.taken for edge in drawn.edges))) if numbers]
    if taken:
        lines.append(f"    linkStyle {','.join(map(str, taken))} stroke:{_TAKEN},stroke-width:3px")
    return "\n".join(lines) + "\n"


def dot(flow: Flow, walk: Walk | None = None, counts: Mapping[str, int] | None = None) -> str:
    """The flow, or one order's walk on it, in Graphviz's language, ending with a newline.

    The nodes are called as the states are. Raises NotFound when the walk's present state is not one of the flow's.
    """
    drawn = chart(flow, walk, counts)
    font = 'fontname="Helvetica,Arial,sans-serif"'
    start = "start"
    while any(node.name == start for node in drawn.nodes):
        start += "_"
    caption = f", label=<{_html(_caption(flow, walk))}>, labelloc=t" if walk is not None else ""
    lines = [
        f"digraph {_quoted(flow.name)} {{",
        f'    graph [rankdir=TB, bgcolor="white", pad=0.3, nodesep=0.5, ranksep=0.5, {font}, fontsize=14{caption}];',
        f'    node [shape=box, style="filled,rounded", {font}, fontsize=13, penwidth=1.5, margin="0.2,0.1"];',
        f'    edge [{font}, fontsize=11, color="{_QUIET}", fontcolor="#374151", arrowsize=0.8];',
        f'    {_quoted(start)} [shape=circle, style=filled, label="", width=0.18, color="{_QUIET}", '
        f'fillcolor="{_QUIET}", group=path];',
    ]
    lines += [f"    {_quoted(n.name)} [{_dot_node(n, on_path=n.number < drawn.spine)}];" for n in drawn.nodes]
    marks = _dot_edge(drawn.placed, walk, main=True)
    if drawn.placed:
        marks.insert(0, f"label=< {named('placed', drawn.placed)} >")
    lines.append(f"    {_quoted(start)} -> {_quoted(drawn.nodes[0].name)} [{', '.join(marks)}];")
    for edge in drawn.edges:
        main = edge.target == edge.source + 1 and edge.target < drawn.spine
        trigger, *guards = (_html(text) for text in _says(edge))
        small = "".join(f'<br/><font point-size="9" color="{_QUIET}"> {text} </font>' for text in guards)
        marks = [f"label=< {trigger} {small}>", *_dot_edge(edge.taken, walk, main=main)]
        ends = f"{_quoted(drawn.nodes[edge.source].name)} -> {_quoted(drawn.nodes[edge.target].name)}"
        lines.append(f"    {ends} [{', '.join(marks)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _says(edge: Edge) -> list[str]:
    """The trigger with the numbers of its events; below it the guards, alternatives joined by `or`."""
    lines = [named(edge.trigger, edge.taken)]
    return [*lines, " or ".join(f"[{guards}]" for guards in edge.guards)] if edge.guards else lines


def _caption(flow: Flow, walk: Walk) -> str:
    caption = f"order {printable(walk.order_id)} · {titles(flow)[walk.state]}"
    return f"{caption} · since {moment(walk.steps[-1].at)} UTC" if walk.steps else caption


# Mermaid


def _link(taken: tuple[int, ...], walk: Walk | None) -> str:
    if walk is None:
        return "-->"
    return "==>" if taken else "-.->"


# What stays as it is: letters and digits, a joint between two of them, single spaces, and signs that mean nothing where
# they stand. All else (quotes, parentheses, a list's `1. ` or `- `, emphasis, links, tags) is written as a code.
_STAYS = r"[^\W_]|(?<=[^\W_])[_.-](?=[^\W_])|(?<=\S) (?=\S)|[\[\],·→=]"


def _mermaid_text(text: str) -> str:
    """Text for a quoted label, in which Mermaid, its Markdown and its HTML find nothing to read but letters."""
    return re.sub(f"({_STAYS})|.", lambda found: found[1] or f"#{ord(found[0])};", text)


def _yaml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


# Graphviz


def _quoted(name: str) -> str:
    """An identifier between quotes. A backslash is doubled, so that no name can end the quotes."""
    return '"' + printable(name.replace("\\", "\\\\")).replace('"', '\\"') + '"' if name else '""'


def _html(text: str) -> str:
    """Text for an HTML-like label, in which a backslash still begins an escape."""
    for char, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\\", "\\\\")):
        text = text.replace(char, written)
    return text


def _dot_node(node: Node, *, on_path: bool) -> str:
    fill, frame, colour = _STOCK_COLOURS[node.stock]
    title, *rest = map(_html, describe(node))
    small = "".join(f'<br/><font point-size="10">{line}</font>' for line in rest)
    marks = [f"label=<<b>{title}</b>{small}>", f'fillcolor="{fill}"', f'fontcolor="{colour}"']
    marks.append(f'color="{_TAKEN if node.visited or node.present else frame}"')
    if node.present:
        marks.append("penwidth=4")
    elif node.visited:
        marks.append("penwidth=2.5")
    if node.final:
        marks.append("peripheries=2")
    if on_path:
        marks.append("group=path")
    return ", ".join(marks)


def _dot_edge(taken: tuple[int, ...], walk: Walk | None, *, main: bool) -> list[str]:
    marks = ["weight=20"] if main else []
    if taken:
        marks += [f'color="{_TAKEN}"', f'fontcolor="{_TAKEN}"', "penwidth=3"]
    elif walk is not None:
        marks.append("style=dashed")
    return marks

"""The drawing of a flow in Mermaid, which GitHub and most wikis show.

Every box carries its own text colour, so it reads on white and on black.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orderstate.diagram.chart import ARROW, Counts, Walk, caption, chart, describe, named
from orderstate.diagram.notes import ARROWS, Note, notes
from orderstate.diagram.palette import POSSIBLE_ANYWHERE, QUIET, STATES, TAKEN_ANYWHERE

if TYPE_CHECKING:
    from orderstate.model import Flow

_CONFIG = ("config:", "  flowchart:", "    wrappingWidth: 640")
"""Pixels: what is said below stays on one line."""


def mermaid(flow: Flow, walk: Walk | None = None, counts: Counts | None = None) -> str:
    """The flow, or one order's walk on it, as a Mermaid flowchart, ending with a newline.

    A flowchart, because a state diagram cannot style a single edge. Raises NotFound when the walk's present state is
    not one of the flow's.
    """
    drawn = chart(flow, walk, counts)
    title = f'title: "{_yaml(caption(flow, walk, counts))}"'
    lines = ["---", title, *_CONFIG, "---", "flowchart TB", '    start((" ")):::start']
    for node in drawn.nodes:
        opening, closing = ('(["', '"])') if node.final else ('("', '")')
        text = "<br/>".join(map(_text, describe(node)))
        lines.append(f"    s{node.number}{opening}{text}{closing}:::{node.stock}")
    starts: list[tuple[int, tuple[int, ...]]] = [(0, ())] if not drawn.placed or drawn.placed_in else []
    starts += [(drawn.placed_in, drawn.placed)] if drawn.placed else []
    for number, taken in starts:
        label = f'|"{_text(named("placed", taken))}"|' if taken else ""
        lines.append(f"    start {_link(taken, walk, possible=False)}{label} s{number}")
    for edge in drawn.edges:
        text = _text(named(edge.trigger, edge.taken))
        lines.append(f'    s{edge.source} {_link(edge.taken, walk, possible=edge.possible)}|"{text}"| s{edge.target}')
    legend = [] if walk is None else [ARROWS]
    told = [line for note in (*legend, *notes(flow, walk, counts)) for line in _told(note)]
    if told:
        lines.append(f'    notes["{"<br/>".join(told)}"]:::notes')
        lines.append(f"    s{max(drawn.spine - 1, 0)} ~~~ notes")  # an arrow that is not drawn puts them below the path
        lines.append(f"    classDef notes fill:transparent,stroke:{QUIET},stroke-dasharray:3 3")
    lines += [
        f"    classDef {stock} fill:{fill},stroke:{frame},color:{text}" for stock, (fill, frame, text) in STATES.items()
    ]
    lines.append(f"    classDef start fill:{QUIET},stroke:{QUIET}")
    for name, style, chosen in (
        (
            "visited",
            f"stroke:{TAKEN_ANYWHERE},stroke-width:2px",
            [n for n in drawn.nodes if n.visited and not n.present],
        ),
        ("present", f"stroke:{TAKEN_ANYWHERE},stroke-width:5px", [n for n in drawn.nodes if n.present]),
    ):
        if chosen:
            lines.append(f"    classDef {name} {style}")
            lines.append(f"    class {','.join(f's{node.number}' for node in chosen)} {name}")
    arrows = [*((taken, False) for _, taken in starts), *((edge.taken, edge.possible) for edge in drawn.edges)]
    for style, links in (
        (f"stroke:{TAKEN_ANYWHERE},stroke-width:3px", [i for i, (taken, _) in enumerate(arrows) if taken]),
        (f"stroke:{POSSIBLE_ANYWHERE}", [i for i, (taken, possible) in enumerate(arrows) if possible and not taken]),
    ):
        if links:
            lines.append(f"    linkStyle {','.join(map(str, links))} {style}")
    return "\n".join(lines) + "\n"


def _link(taken: tuple[int, ...], walk: Walk | None, *, possible: bool) -> str:
    if taken:
        return "==>"
    return "-->" if walk is None or possible else "-.->"


def _told(note: Note) -> list[str]:
    """A note's lines: its title, what stands under it, and its remark."""
    pairs = [(first, line) for first, second in note.rows for line in second.split("\n")]
    rows = [f"{first} {line}" if line.startswith(ARROW) else f"{first}  {line}" for first, line in pairs]
    remark = [] if note.remark is None else [note.remark]
    return [f"<b>{_text(note.title)}</b>", *(_text(row.replace("  ", " · ")) for row in (*rows, *remark))]


# What stays as it is: letters and digits, a joint between two of them, single spaces, and signs that mean nothing where
# they stand. All else (quotes, parentheses, a list's `1. ` or `- `, emphasis, links, tags) is written as a code.
_STAYS = r"[^\W_]|(?<=[^\W_])[_.-](?=[^\W_])|(?<=\S) (?=\S)|[\[\],·→=]"


def _text(text: str) -> str:
    """Text for a quoted label, in which Mermaid, its Markdown and its HTML find nothing to read but letters."""
    return re.sub(f"({_STAYS})|.", lambda found: found[1] or f"#{ord(found[0])};", text)


def _yaml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

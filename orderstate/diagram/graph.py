"""The drawing of a flow in Graphviz's language: for people who lay it out themselves, and for our own pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orderstate.diagram.canvas import wrap
from orderstate.diagram.chart import ARROW, Chart, Counts, Edge, Node, Walk, caption, chart, describe, named, printable
from orderstate.diagram.notes import ARROWS, Note, notes
from orderstate.diagram.palette import FAINT, INK, PAPER, POSSIBLE, QUIET, STATES, TAKEN

if TYPE_CHECKING:
    from orderstate.model import Flow

FACE = "Helvetica,Arial,sans-serif"
"""The fonts that a drawing asks for which is laid out elsewhere."""

GAPS = (0.45, 0.5)
"""Room between boxes side by side and between ranks, in inches."""
_TITLE, _NAME, _TRIGGER, _SMALL = 15, 14, 12, 11
"""Sizes of type, in points."""
_LEFT, _RIGHT, _NARROW = 34, 72, 40
"""Characters in a line of a note: at most in each of two columns, and at least where there is one."""
_THIN, _LONGEST = 1.05, 400
"""A flow with at most so many arrows for each state is a chain; and so many of them are drawn at most."""
_FAN, _ROW = 8, 8
"""So many arrows of one trigger to one state are a fan; so many boxes stand side by side that no arrow holds."""
_LOOPED, _LOOP = 4, 0.36
"""Where a state has several loops, each is led around the label of the one before, closely: spaces behind that label,
and how high the state is for each loop, in inches."""
_SPARE = 100
"""Columns that the last part of a row spans. Graphviz shares spare room among all columns of a table, those too, so
next to nothing of it comes between the parts."""


def dot(
    flow: Flow,
    walk: Walk | None = None,
    counts: Counts | None = None,
    *,
    face: str = FACE,
    gaps: tuple[float, float] = GAPS,
    most: int | None = None,
) -> str:
    """The flow, or one order's walk on it, in Graphviz's language, ending with a newline.

    The nodes are called as the states are. `face` names the font, `gaps` are the least room between two boxes side by
    side and between two ranks, in inches. With `most`, the arrows that `crowd` names are told below instead of drawn.
    Raises NotFound when the walk's present state is not one of the flow's.
    """
    drawn = chart(flow, walk, counts)
    told = crowd(drawn, most)
    font = f'fontname="{face}"'
    start = "start"
    while any(node.name == start for node in drawn.nodes):
        start += "_"
    lines = [
        f"digraph {_quoted(flow.name)} {{",
        f'    graph [rankdir=TB, bgcolor="{PAPER}", pad=0.2, nodesep={gaps[0]}, ranksep={gaps[1]}, {font}, '
        f'fontsize={_TITLE}, fontcolor="{INK}", labelloc=t, labeljust=l, label={_above(caption(flow, walk, counts))}];',
        f'    node [shape=box, style="filled,rounded", {font}, fontsize={_NAME}, penwidth=1.5, margin="0.2,0.1"];',
        f'    edge [{font}, fontsize={_TRIGGER}, color="{QUIET}", fontcolor="{INK}", arrowsize=0.75];',
        "    subgraph cluster_drawing {",
        f"        graph [peripheries=0, margin=0, labelloc=b, labeljust=l, fontsize={_SMALL}, "
        f"label={_below(flow, walk, counts, _untangled(drawn, told))}];",
        f'        {_quoted(start)} [shape=circle, style=filled, label="", width=0.17, color="{QUIET}", '
        f'fillcolor="{QUIET}", group=path];',
    ]
    lines += [f"        {_quoted(node.name)} [{_node(node, drawn)}];" for node in drawn.nodes]
    lines += [
        f"        {_quoted(start)} -> {_quoted(drawn.nodes[number].name)} [{', '.join(marks)}];"
        for number, marks in _starts(drawn, walk)
    ]
    lines += [_arrow(edge, drawn, walk) for edge in drawn.edges if edge not in told]
    if told:
        lines += _rows_of_boxes(drawn, told)
    return "\n".join([*lines, "    }", "}"]) + "\n"


def crowd(drawn: Chart, most: int | None) -> frozenset[Edge]:
    """The arrows to tell in words where there are more than `most`: nobody could follow them, and layout takes minutes.

    First those of a trigger that leads to one state from many, such as cancel; if that is not enough, all that are
    neither on the main path nor on an order's way. A long chain has as many arrows as states, and stays.
    """
    if most is None or len(drawn.edges) <= most:
        return frozenset()
    plain = [edge for edge in drawn.edges if not edge.taken and not edge.possible]
    fans = Counter((edge.trigger, edge.target) for edge in plain)
    found = frozenset(edge for edge in plain if fans[edge.trigger, edge.target] >= _FAN)
    if len(drawn.edges) - len(found) <= max(most, min(_THIN * len(drawn.nodes), _LONGEST)):
        return found
    return frozenset(e for e in plain if not (e.target == e.source + 1 and e.target < drawn.spine))


def _untangled(drawn: Chart, told: frozenset[Edge]) -> list[Note]:
    """A note of the arrows that are not drawn: those of a fan in one row, the others by the state that they leave."""
    if not told:
        return []
    fans = Counter((edge.trigger, edge.target) for edge in told)
    rows: dict[str, list[str]] = {}
    for edge in (edge for edge in drawn.edges if edge in told):
        target, count = drawn.nodes[edge.target].title, fans[edge.trigger, edge.target]
        if count >= _FAN:
            rows[edge.trigger] = [*rows.get(edge.trigger, []), f"{ARROW} {target}, from {count} states"]
        else:
            rows.setdefault(drawn.nodes[edge.source].title, []).append(f"{edge.trigger} {ARROW} {target}")
    listed = tuple((first, ", ".join(dict.fromkeys(parts))) for first, parts in rows.items())
    return [Note(f"{len(told)} of {len(drawn.edges)} arrows, told instead of drawn", listed)]


def _rows_of_boxes(drawn: Chart, told: frozenset[Edge]) -> list[str]:
    """Lines that are not seen, which put boxes that no arrow holds into rows: else all would stand side by side."""
    held = {number for edge in drawn.edges if edge not in told for number in (edge.source, edge.target)}
    loose = [node.name for node in drawn.nodes if node.number not in held and node.number]
    pairs = zip(loose, loose[_ROW:], strict=False)
    return [f"        {_quoted(above)} -> {_quoted(below)} [style=invis];" for above, below in pairs]


def _starts(drawn: Chart, walk: Walk | None) -> Iterator[tuple[int, list[str]]]:
    """The arrows from the start: to the initial state, and to the one where an order was placed if that is another."""
    if not drawn.placed or drawn.placed_in:
        yield 0, ["weight=20", *_edge((), walk, possible=False)]
    if drawn.placed:
        on_path = [] if drawn.placed_in else ["weight=20"]
        yield drawn.placed_in, [_label("placed", drawn.placed), *on_path, *_edge(drawn.placed, walk, possible=False)]


def _arrow(edge: Edge, drawn: Chart, walk: Walk | None) -> str:
    looped = edge.source == edge.target and _loops(drawn, edge.source) > 1
    marks = [_label(edge.trigger, edge.taken, _LOOPED if looped else 0)]
    if edge.target == edge.source + 1 and edge.target < drawn.spine:
        marks.append("weight=20")
    marks += _sides(edge, drawn) + _edge(edge.taken, walk, possible=edge.possible)
    ends = f"{_quoted(drawn.nodes[edge.source].name)} -> {_quoted(drawn.nodes[edge.target].name)}"
    return f"        {ends} [{', '.join(marks)}];"


def _loops(drawn: Chart, number: int) -> int:
    """How many arrows lead from a state to itself."""
    return sum(edge.source == edge.target == number for edge in drawn.edges)


def _label(trigger: str, taken: tuple[int, ...], more: int = 0) -> str:
    """With spaces on both sides, which keep it off the line, and so many more behind it."""
    space = "\u00a0" * (2 if taken else 1)
    return f"label=<{space}{_html(named(trigger, taken))}{space}{chr(0xA0) * more}>"


def _sides(edge: Edge, drawn: Chart) -> list[str]:
    """On which side an arrow leaves a box of the main path: one step back on the left; on the right to where several
    boxes of the path lead, such as to cancelled. So these arrows do not cross the path; for all others Graphviz finds
    the best place."""
    if edge.source >= drawn.spine:
        return []
    if edge.target < drawn.spine:
        return ["tailport=w", "headport=w"] if edge.target == edge.source - 1 else []
    several = sum(other.target == edge.target and other.source < drawn.spine for other in drawn.edges) > 1
    return ["tailport=e"] if several else []


def _node(node: Node, drawn: Chart) -> str:
    paint = STATES[node.stock]
    title, *rest = map(_html, describe(node))
    gap = '<br/><font point-size="3"> </font><br/>'
    lines = [title, *(f'<font point-size="{_SMALL}">{line}</font>' for line in rest)]
    marks = [f"label=<{gap.join(lines)}>", f'fillcolor="{paint.fill}"', f'fontcolor="{paint.text}"']
    marks.append(f'color="{TAKEN if node.visited or node.present else paint.frame}"')
    if node.present:
        marks.append("penwidth=4")
    elif node.visited:
        marks.append("penwidth=2.5")
    if node.final:
        marks.append("peripheries=2")
    if node.number < drawn.spine:
        marks.append("group=path")
    loops = _loops(drawn, node.number)
    if loops > 1:
        marks.append(f"height={loops * _LOOP:.2f}")
    return ", ".join(marks)


def _edge(taken: tuple[int, ...], walk: Walk | None, *, possible: bool) -> list[str]:
    """How an arrow is drawn: thick where the order went, green where it could go now, dashed elsewhere."""
    marks = []
    if taken:
        marks += [f'color="{TAKEN}"', f'fontcolor="{TAKEN}"', "penwidth=3"]
    elif possible:
        marks += [f'color="{POSSIBLE}"', f'fontcolor="{POSSIBLE}"', "penwidth=1.5"]
    elif walk is not None:
        marks += [f'color="{FAINT}"', f'fontcolor="{QUIET}"', "style=dashed"]
    return marks


def _above(text: str) -> str:
    """The title, as far from the edge as the notes."""
    cells = f'<td width="8"></td><td>{_html(text)}</td>'
    return f'<<table border="0" cellspacing="0" cellpadding="2"><tr>{cells}</tr></table>>'


def _below(flow: Flow, walk: Walk | None, counts: Counts | None, more: list[Note]) -> str:
    """The notes as one table of two columns, each note under its title."""
    told = [*([] if walk is None else [ARROWS]), *notes(flow, walk, counts), *more]
    if not told:
        return '""'
    folded = [[(_folded(first, _LEFT), _folded(second, _RIGHT)) for first, second in note.rows] for note in told]
    # What spans both columns is no wider than they are, or Graphviz would spread them apart.
    columns = ([len(line) for rows in folded for row in rows for line in row[side]] for side in (0, 1))
    wide = max(_NARROW, sum(max(column, default=0) for column in columns))
    cells = []
    for note, rows in zip(told, folded, strict=True):
        cells.append('<td colspan="3" height="8"></td>')
        cells.append(_cell(wrap(note.title, wide), INK if rows else QUIET, span=3))
        if note.parts:
            cells.append(_parted(note))
        else:
            cells += [f'{_cell(first, INK)}<td width="8"></td>{_cell(lines, QUIET)}' for first, lines in rows]
        if note.remark is not None:
            cells.append(_cell(wrap(note.remark, wide), QUIET, span=3))
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="2">{body}</table>>'


def _parted(note: Note) -> str:
    """A note whose columns have parts: a table in each of the two columns, its rows as high as those in the other."""
    firsts, seconds = [], []
    for first, second in note.parts:
        last_first = _folded(first[-1], _LEFT - sum(map(len, first[:-1])))
        last_second = _folded(second[-1], _RIGHT - sum(map(len, second[:-1])))
        high = max(len(last_first), len(last_second))
        firsts.append(_row_of_parts(first[:-1], last_first, INK, high, "right"))
        seconds.append(_row_of_parts(second[:-1], last_second, QUIET, high, "left"))
    tables = (
        f'<td cellpadding="0" valign="top"><table border="0" cellborder="0" cellspacing="0" cellpadding="2">'
        f"{''.join(f'<tr>{row}</tr>' for row in rows)}</table></td>"
        for rows in (firsts, seconds)
    )
    return '<td width="8"></td>'.join(tables)


def _row_of_parts(parts: Sequence[str], last: list[str], colour: str, high: int, align: str) -> str:
    """The cells of a row, the last of them `high` lines high; `align`: where the others stand."""
    filled = [*last, *["\u00a0"] * (high - len(last))]
    before = "".join(_cell([part], colour, align=align) for part in parts)
    return f'{before}<td cellpadding="0" width="3"></td>{_cell(filled, colour, span=_SPARE)}'


def _folded(text: str, width: int) -> list[str]:
    return [line for part in text.split("\n") for line in wrap(part, width, "  ")]


def _cell(lines: list[str], colour: str, *, span: int = 1, align: str = "left") -> str:
    spanning = f' colspan="{span}"' if span > 1 else ""
    indented = (_html(line.replace("  ", "\u00a0\u00a0")) for line in lines)
    text = "".join(f'{line}<br align="left"/>' for line in indented)
    return f'<td{spanning} align="{align}" balign="left" valign="top"><font color="{colour}">{text}</font></td>'


def _quoted(name: str) -> str:
    """An identifier between quotes. A backslash is doubled, so that no name can end the quotes."""
    return '"' + printable(name.replace("\\", "\\\\")).replace('"', '\\"') + '"' if name else '""'


def _html(text: str) -> str:
    """Text for an HTML-like label, in which a backslash still begins an escape."""
    for char, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\\", "\\\\")):
        text = text.replace(char, written)
    return text

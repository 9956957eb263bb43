"""Drawings of flows that nobody thought of: random states, triggers from many sources, loops, cycles, odd names.

The strongest test reads a drawing back: it follows the lines with its eyes only, and must find the flow's own arrows.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orderstate.diagram import Step, Walk, dot, mermaid, terminal
from orderstate.diagram.canvas import Canvas, cells, wrap
from orderstate.diagram.cards import draw_cards
from orderstate.diagram.chart import chart
from orderstate.diagram.layout import Layout
from orderstate.machine import STANDARD
from orderstate.model import Flow, GuardUse, State, Stock, Transition

_UP, _RIGHT, _DOWN, _LEFT = (0, -1), (1, 0), (0, 1), (-1, 0)
_OPENS = {
    "─": (_RIGHT, _LEFT),
    "│": (_UP, _DOWN),
    "╭": (_DOWN, _RIGHT),
    "╮": (_DOWN, _LEFT),
    "╰": (_UP, _RIGHT),
    "╯": (_UP, _LEFT),
    "├": (_UP, _DOWN, _RIGHT),
    "┤": (_UP, _DOWN, _LEFT),
    "┬": (_DOWN, _LEFT, _RIGHT),
    "┴": (_UP, _LEFT, _RIGHT),
    "┼": (_UP, _DOWN, _LEFT, _RIGHT),
}
_HEADS = {"◄": _LEFT, "►": _RIGHT, "▼": _DOWN}

_plain = st.from_regex(r"[a-z][a-z_0-9]{0,9}", fullmatch=True)
_odd = st.text(
    alphabet=st.sampled_from("aZ09_- .\"'\\<>&#;:|{}[]()%`*~=+@/\n\t\x07äßé日本語😀\u0301\u200d\u202e\u00a0ـ"),
    max_size=30,
)


@st.composite
def flows(draw: st.DrawFn, names: st.SearchStrategy[str] = _plain, most: int = 7) -> Flow:
    """Any flow that the machine would compile: one state or more, transitions of every shape between them."""
    states = draw(st.lists(names, min_size=1, max_size=most, unique=True))
    verbs = draw(st.lists(names.map(lambda name: "t" + name), min_size=1, max_size=most, unique=True))
    state = st.sampled_from(states)
    declared = draw(
        st.lists(
            st.builds(
                Transition,
                st.sampled_from(verbs),
                st.lists(state, min_size=1, max_size=4, unique=True).map(tuple),
                state,
                st.just("Happened"),
                st.lists(st.builds(GuardUse, names.map(lambda name: "g" + name)), max_size=2).map(tuple),
            ),
            max_size=most + 2,
        )
    )
    # Without a main path of its own a random flow seldom has one, and so seldom two columns.
    chain = states[: draw(st.integers(1, len(states)))]
    main = [Transition(f"t{i}", (a,), b, "Happened") for i, (a, b) in enumerate(pairwise(chain))]
    declared = main + declared if draw(st.booleans()) else declared + main
    kinds = st.builds(State, st.just(""), st.sampled_from(Stock), st.booleans(), st.none() | names)
    return Flow(
        name=draw(names),
        initial=states[0] if draw(st.booleans()) else draw(state),
        states=tuple(
            State(name, kind.stock, kind.final, kind.label) for name, kind in ((name, draw(kinds)) for name in states)
        ),
        transitions=tuple(declared),
        path=tuple(t.trigger for t in main),
    )


@st.composite
def walks(draw: st.DrawFn, flow: Flow) -> Walk:
    """A walk along the flow's own arrows, which began in any of its states: another flow may have been in force."""
    here = draw(st.just(flow.initial) | st.sampled_from([state.name for state in flow.states]))
    steps = [Step(None, None, here, 1_795_359_600_000_000, 1)]
    for number in range(2, 2 + draw(st.integers(0, 12))):
        ways = [(t.trigger, t.target) for t in flow.transitions if here in t.sources]
        if not ways:
            break
        trigger, target = draw(st.sampled_from(ways))
        steps.append(Step(trigger, here, target, 1_795_359_600_000_000 + number * 61_000_000, number))
        here = target
    return Walk("1001", here, tuple(steps))


def dense(seed: int, states: int, triggers: int) -> Flow:
    """A flow with a main path through half of its states and many ways beside it: hypothesis prefers small ones."""
    random = Random(seed)
    names = [f"s{i}" for i in range(states)]
    main = [Transition(f"t{i}", (a,), b, "Happened") for i, (a, b) in enumerate(pairwise(names[: states // 2]))]
    beside = [
        Transition(f"b{i}", tuple(random.sample(names, random.choice((1, 1, 2, 4)))), random.choice(names), "Happened")
        for i in range(triggers)
    ]
    return Flow(
        "dense",
        "s0",
        tuple(State(name, Stock.FREE) for name in names),
        (*main, *beside),
        tuple(t.trigger for t in main),
    )


def arrows(flow: Flow) -> set[tuple[str, str, str]]:
    """The flow's arrows: trigger, source, target."""
    return {(t.trigger, source, t.target) for t in flow.transitions for source in t.sources}


class Reader:
    """Reads a drawing made of boxes and routes, knowing nothing of how it was made."""

    def __init__(self, lines: list[str]) -> None:
        width = max(map(len, lines))
        self.grid = [line.ljust(width) for line in lines]
        self.border: dict[tuple[int, int], str] = {}
        for y, line in enumerate(self.grid):
            for x, char in enumerate(line):
                if char == "┌":
                    self._frame(x, y)

    def arrows(self) -> set[tuple[str, str, str]]:
        """Every arrow: followed from where it leaves a box to its head; the text on its way is its trigger."""
        found: set[tuple[str, str, str]] = set()
        for (x, y), source in self.border.items():
            for way, sign in ((_RIGHT, "├"), (_LEFT, "┤")):
                if self.grid[y][x] == sign:
                    ends = self._follow(x + way[0], y, way, "", set())
                    assert len(ends) == 1, f"{source} at {x},{y}: {ends}"
                    label, target = ends.pop()
                    found.add((label, source, target))
            if self.grid[y][x] == "┬":
                found |= {(label, source, target) for label, target in self._down(x, y + 1)}
        return found

    def _frame(self, x: int, y: int) -> None:
        right, bottom = x + 1, y + 1
        while self.grid[y][right] != "┐":
            assert self.grid[y][right] == "─"
            right += 1
        while self.grid[bottom][x] != "└":
            assert self.grid[bottom][x] in "│┤"
            bottom += 1
        assert self.grid[bottom][right] == "┘"
        title = self.grid[y + 1][x + 2 : right - 1].rstrip()
        for column in range(x, right + 1):
            self.border[column, y] = self.border[column, bottom] = title
        for row in range(y, bottom + 1):
            self.border[x, row] = self.border[right, row] = title

    def _down(self, x: int, y: int) -> set[tuple[str, str]]:
        labels = []
        while self.grid[y][x] == "│":
            text = re.match(r" (\w+)", self.grid[y][x + 1 :])
            labels += [text[1]] if text else []
            y += 1
        assert self.grid[y][x] == "▼"
        assert labels
        return {(label, self.border[x, y + 1]) for label in labels}

    def _follow(
        self, x: int, y: int, way: tuple[int, int], label: str, seen: set[tuple[int, int]]
    ) -> set[tuple[str, str]]:
        while self.grid[y][x] == " ":  # a label stands in the line
            assert way in (_LEFT, _RIGHT)
            start = x
            x += way[0]
            while re.match(r"\w", self.grid[y][x]):
                x += way[0]
            assert self.grid[y][x] == " "
            if label:
                return set()  # the label of another source of the same net
            label = self.grid[y][min(start, x) + 1 : max(start, x)]
            x += way[0]
        char = self.grid[y][x]
        if char in _HEADS:
            assert _HEADS[char] == way
            return {(label, self.border[x + way[0], y + way[1]])}
        if (x, y) in self.border or (x, y) in seen:
            return set()  # another source of the same net
        if char == "┼":
            return self._follow(x + way[0], y + way[1], way, label, seen)
        seen.add((x, y))
        back = (-way[0], -way[1])
        assert back in _OPENS[char], f"{char} at {x},{y} does not go on from there"
        ends: set[tuple[str, str]] = set()
        for on in _OPENS[char]:
            if on != back:
                ends |= self._follow(x + on[0], y + on[1], on, label, seen)
        return ends


def read_back(flow: Flow, columns: int) -> set[tuple[str, str, str]]:
    """The arrows that somebody finds who sees only the drawing."""
    layout = Layout(chart(flow), columns=columns)
    layout.set_pitch(2)
    canvas = Canvas()
    layout.draw(canvas, 0)
    return Reader(canvas.lines()).arrows()


@pytest.mark.parametrize("columns", [1, 2])
def test_the_arrows_of_the_standard_flow_can_be_read_back_from_its_drawing(columns: int) -> None:
    flow = replace(STANDARD, states=tuple(replace(state, label=None) for state in STANDARD.states))
    assert read_back(flow, columns) == arrows(flow)


@settings(max_examples=100, deadline=None)
@given(flows().filter(lambda flow: all(s.label is None for s in flow.states)), st.sampled_from([1, 2]))
def test_every_arrow_of_a_flow_can_be_read_back_from_its_drawing_and_no_other(flow: Flow, columns: int) -> None:
    assert read_back(flow, columns) == arrows(flow)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize(("states", "triggers"), [(5, 5), (8, 8), (11, 9)])
def test_the_arrows_of_dense_flows_can_be_read_back_from_their_drawings(
    states: int, triggers: int, columns: int
) -> None:
    for seed in range(40):
        flow = dense(seed, states, triggers)
        assert read_back(flow, columns) == arrows(flow), seed


@settings(max_examples=60, deadline=None)
@given(flows(), st.sampled_from([2, 3]))
def test_a_layout_is_never_wider_than_it_says_and_hardly_narrower(flow: Flow, pitch: int) -> None:
    layout = Layout(chart(flow), columns=2)
    width = layout.set_pitch(pitch)
    canvas = Canvas()
    layout.draw(canvas, 1)
    assert width <= max(map(len, canvas.lines())) <= width + 1


@settings(max_examples=60, deadline=None)
@given(flows(), st.integers(24, 60))
def test_cards_name_every_arrow_at_its_source(flow: Flow, width: int) -> None:
    drawn = chart(flow)
    canvas = Canvas()
    draw_cards(drawn, canvas, width)
    text = squeezed("\n".join(canvas.lines()))
    for edge in drawn.edges:
        follows = edge.target == edge.source + 1
        assert edge.trigger + ("" if follows else "→" + squeezed(drawn.nodes[edge.target].title)) in text
    assert max(map(len, canvas.lines())) <= width


def squeezed(text: str) -> str:
    """The text without what breaking it into lines and framing it adds."""
    return re.sub(r"[\s│┃║|#!]+", "", text)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(40, 130), st.booleans())
def test_no_line_is_wider_than_asked_and_no_name_is_missing(data: st.DataObject, width: int, ascii: bool) -> None:
    flow = data.draw(flows(_odd))
    walk = data.draw(st.none() | walks(flow))
    counts = data.draw(st.none() | st.just({flow.initial: 1204}))
    text = terminal(flow, walk, width, ascii, counts)
    assert max(map(cell_len, text.splitlines())) <= width
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert all(line == line.rstrip(" ") for line in text.split("\n"))
    assert text.isascii() or not ascii
    assert all(char.isprintable() for char in text.replace("\n", ""))
    drawn, shown = chart(flow, walk, counts, ascii=ascii), squeezed(text)
    assert all(squeezed(node.title) in shown for node in drawn.nodes)
    assert all(squeezed(edge.trigger) in shown for edge in drawn.edges)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_same_values_give_the_same_text(data: st.DataObject) -> None:
    flow = data.draw(flows(_odd))
    walk = data.draw(st.none() | walks(flow))
    for draw in (terminal, mermaid, dot):
        assert draw(flow, walk) == draw(flow, walk)


_LABEL = r"(?:[^\W_]|[_. ,·→=\[\]-]|#\d+;|<br/>)*"
_MERMAID = re.compile(
    r"---|title: \".*\"|config:|  flowchart:|    wrappingWidth: 640|flowchart TB"
    r"|    start\(\(\" \"\)\):::start"
    rf'|    s\d+\(\[?"{_LABEL}"\]?\):::(free|tied|gone)'
    rf'|    (start|s\d+) (-->|==>|-\.->)(\|"{_LABEL}"\|)? s\d+'
    rf'|    notes\["<b>{_LABEL}</b>(<br/>{_LABEL}|<br/><b>{_LABEL}</b>)*"\]:::notes'
    r"|    s\d+ ~~~ notes"
    r"|    classDef [a-z]+ [a-z#0-9:, -]+|    class s\d+(,s\d+)* [a-z]+"
    r"|    linkStyle \d+(,\d+)* stroke:#[0-9a-f]{6}(,stroke-width:3px)?"
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mermaid_has_only_lines_of_known_form_whatever_the_names_are(data: st.DataObject) -> None:
    flow = data.draw(flows(_odd))
    walk = data.draw(st.none() | walks(flow))
    text = mermaid(flow, walk)
    for line in text.splitlines():
        assert _MERMAID.fullmatch(line), line
    links = re.findall(r"^    (s\d+) \S+?\|.*\| (s\d+)$", text, re.MULTILINE)
    assert len(links) == len(arrows(flow))
    labels = re.findall(r'^    s\d+ [^|]*\|"(.*)"\|', text, re.MULTILINE)
    plain = [re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label) for label in labels]
    for edge in chart(flow).edges:
        assert any(label.endswith(edge.trigger) for label in plain)


_QUOTED = r'"(?:[^"\\]|\\.)*"'
_DOT = re.compile(
    rf"digraph {_QUOTED} {{|    subgraph cluster_drawing {{|(    )?}}"
    rf"| {{4,8}}(graph|node|edge) \[.*\];| {{8}}{_QUOTED}( -> {_QUOTED})? \[.*\];"
)
_TAG = r"</?(br/|br align=|font[^<>]*|table[^<>]*|tr|td[^<>]*)/?>"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_dot_quotes_every_name_whatever_it_is(data: st.DataObject) -> None:
    flow = data.draw(flows(_odd))
    walk = data.draw(st.none() | walks(flow))
    text = dot(flow, walk)
    for line in text.splitlines():
        assert _DOT.fullmatch(line), line
        # Angle brackets open and close labels and tags and stand for nothing else.
        outside = re.sub(_QUOTED + r"| -> ", "", line)
        assert re.sub(_TAG, "", outside).count("<") == outside.count("label=<")
    nodes = re.findall(rf"^ {{8}}({_QUOTED}) \[", text, re.MULTILINE)
    assert len(set(nodes)) == len(flow.states) + 1
    starts = 1 if walk is None or walk.steps[0].target == flow.initial else 2
    assert len(re.findall(rf"^ {{8}}{_QUOTED} -> {_QUOTED} \[", text, re.MULTILINE)) == len(arrows(flow)) + starts


@given(st.text(max_size=60), st.integers(4, 30), st.sampled_from(["", "  "]))
def test_wrapping_keeps_every_sign_and_the_width(text: str, width: int, indent: str) -> None:
    lines = wrap(text, width, indent)
    assert all(cells(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(line.startswith(indent) for line in lines[1:])

"""Drawn tables and sentences lose nothing, whatever is in them and however narrow the terminal is."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstate.allocation.problem import Problem
from orderstate.model import Plan, Standing
from orderstate.render import plans, tables, words
from orderstate.render.tables import Column

TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=60)


def drawn(columns: tuple[Column, ...], rows: list[tuple[object, ...]], width: int) -> str:
    out = io.StringIO()
    tables.draw(columns, rows, out, width)  # type: ignore[arg-type]  # cells of any text
    return out.getvalue()


@settings(deadline=None)  # the first table imports rich
@given(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 10**12)), min_size=1, max_size=5), st.integers(24, 120))
def test_no_sign_of_any_cell_is_lost(rows: list[tuple[str, str, int]], width: int) -> None:
    columns = (Column("one", folds=True), Column("two", folds=True), Column("units", number=True))
    text = re.sub(r"\s+", "", drawn(columns, list(rows), width))
    for one, two, units in rows:
        for sign in f"{one}{two}{units}":
            assert text.count(sign) >= f"{one}{two}{units}".count(sign)


@settings(deadline=None)  # the first table imports rich
@given(st.lists(st.from_regex(r"[a-z]{1,40}", fullmatch=True), min_size=1, max_size=4), st.integers(24, 100))
def test_lines_fit_the_width(cells: list[str], width: int) -> None:
    columns = tuple(Column(f"c{n}", folds=n % 2 == 0) for n in range(len(cells)))
    assert max(map(len, drawn(columns, [tuple(cells)], width).splitlines())) <= width


def test_markup_in_data_is_data() -> None:
    assert "[red]x[/red] :smile:" in drawn((Column("a"),), [("[red]x[/red] :smile:",)], 60)


def test_an_optional_column_without_values_is_not_drawn() -> None:
    columns = (Column("a"), Column("b", optional=True))
    assert "b" not in drawn(columns, [("x", None)], 60)
    assert "b" in drawn(columns, [("x", "y")], 60)


def test_tsv_keeps_one_line_a_row() -> None:
    assert tables.tsv(("a\tb", "c\nd", None, 5)) == "a\\tb\tc\\nd\t\t5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.km(8_940), "8.9"),
        (words.km(1_471_367), "1471"),
        (words.km(None), ""),
        (words.minor(2_342_129), "2342.129"),
        (words.minor(2_000), "2"),
        (words.minor(-1_500), "-1.5"),
        (words.iso(1_767_225_600_000_001), "2026-01-01T00:00:00.000001Z"),
        (words.moment(1_767_225_600_000_001), "2026-01-01 00:00:00"),
        (words.several("abcdefgh"), "a, b, c, d, e and 3 more"),
        (words.count(1, "facility"), "1 facility"),
        (words.count(2000, "facility"), "2,000 facilities"),
        (words.plain("a\u202eb\x00"), "a\\u202eb\\x00"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert text == expected


def test_published_turns_times_at_any_depth_and_leaves_other_numbers() -> None:
    found = words.published({"at": 0, "version": 3, "waiting": [{"placed_at": 1}], "values": {"at": "39.7,-104.9"}})
    assert found == {
        "at": "1970-01-01T00:00:00.000000Z",
        "version": 3,
        "waiting": [{"placed_at": "1970-01-01T00:00:00.000001Z"}],
        "values": {"at": "39.7,-104.9"},
    }


WHYS = (
    "used", "closed", "excluded", "not_among_only", "no_units", "too_few_units", "farther", "lower_priority", "dearer",
    "not_needed", "node_limit",
)  # fmt: skip


def test_every_word_for_why_is_readable() -> None:
    standings = tuple(Standing(why.upper(), why, 1000, marks=("no_position",)) for why in WHYS)
    for strategy in ("nearest", "priority", "cheapest"):
        told = plans.reasons(Plan(strategy, (), {}, standings))
        assert all("_" not in text and "position is not known" in text for text in told.values())
        assert len(set(told.values())) == len(WHYS)


def test_the_nearest_facilities_are_counted_among_those_that_may_ship() -> None:
    problem = Problem.explicit(
        {"A": 1, "B": 1, "C": 1},
        [("A", "MUG", "primary", 1, 0), ("B", "MUG", "primary", 1, 0), ("C", "MUG", "primary", 1, 0)],
        {"MUG": 3},
        metres={"A": 1000, "B": 2000, "C": 3000},
    )
    plan = problem.plan("nearest", [(0, 0, 0, 1), (1, 0, 0, 1), (2, 0, 0, 1)])
    assert plans.reasons(plan) == {"A": "closest of 3", "B": "2nd closest of 3", "C": "3rd closest of 3"}
    assert plans.tied(plan.document())[0] == "1 MUG from A, 1.0 km: closest of 3"

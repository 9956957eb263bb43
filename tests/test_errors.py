"""The tree of errors: what its docstring draws is what the classes are, and what a program reads is stable."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from orderstate import errors
from orderstate.errors import (
    Conflict,
    Damaged,
    InvalidInput,
    KeyReused,
    Locked,
    NotFound,
    OrderstateError,
    Refused,
    SchemaMismatch,
    StaleVersion,
    StockShort,
)
from orderstate.model import Refusal

CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, OrderstateError) and found.__module__ == errors.__name__
}


def drawn() -> dict[str, tuple[str | None, int]]:
    """Name to (parent, exit status), as the docstring draws the tree."""
    found: dict[str, tuple[str | None, int]] = {}
    above: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"( *)([A-Z]\w+)\s+(\d+)\s{2}\S", line)
        if match is None:
            continue
        indent, name, status = len(match.group(1)), match.group(2), int(match.group(3))
        above = [(depth, parent) for depth, parent in above if depth < indent]
        found[name] = (above[-1][1] if above else None, status)
        above.append((indent, name))
    return found


def test_the_docstring_draws_the_tree_that_there_is() -> None:
    tree = {
        name: (None if cls is OrderstateError else cls.__mro__[1].__name__, cls.exit_status)
        for name, cls in CLASSES.items()
    }
    assert drawn() == tree
    assert len(tree) > 15


def test_every_error_says_what_it_means_and_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in CLASSES.values()]
    assert len(set(codes)) == len(codes)
    for cls in CLASSES.values():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", cls.code)
        assert "code" in vars(cls)
        assert str(cls.__doc__).strip().endswith(".")


def test_the_exit_statuses_are_those_of_the_design() -> None:
    assert {cls.exit_status for cls in CLASSES.values()} == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
    expected: dict[type[OrderstateError], int] = {
        OrderstateError: 1, InvalidInput: 2, NotFound: 3, Refused: 4, StockShort: 5, Conflict: 6, KeyReused: 10,
        Locked: 6, StaleVersion: 6, SchemaMismatch: 4, Damaged: 1,
    }  # fmt: skip
    assert {cls: cls.exit_status for cls in expected} == expected


def test_what_is_safe_to_retry_is_a_conflict_and_nothing_else_is() -> None:
    assert {name for name, cls in CLASSES.items() if cls.exit_status == 6} == {
        name for name, cls in CLASSES.items() if issubclass(cls, Conflict)
    }


def test_an_error_as_a_document_has_all_that_a_program_needs() -> None:
    refusals = [Refusal("final", "it is over", None, {"state": "delivered"}), Refusal("other", "no", "do that")]
    error = Refused("1001 is delivered", hint="orderstate why 1001", blocked=refusals, order="1001")
    assert json.loads(json.dumps(error.document())) == {
        "error": {
            "code": "refused",
            "sentence": "1001 is delivered",
            "exit": 4,
            "values": {"order": "1001"},
            "blocked": [
                {"code": "final", "sentence": "it is over", "remedy": None, "values": {"state": "delivered"}},
                {"code": "other", "sentence": "no", "remedy": "do that", "values": {}},
            ],
            "hint": "orderstate why 1001",
        }
    }


def test_a_document_leaves_out_what_there_is_not() -> None:
    assert Locked("busy").document() == {"error": {"code": "locked", "sentence": "busy", "exit": 6}}


def test_a_code_of_ones_own_does_not_change_the_class() -> None:
    assert Refused("no", code="nothing_to_split").code == "nothing_to_split"
    assert Refused.code == "refused"


def test_invalid_input_names_field_value_and_what_would_be_right() -> None:
    error = InvalidInput("quantity", -5, "a whole number from 1", hint="--line SKU:QTY")
    assert str(error) == "quantity: -5 is not a whole number from 1"
    assert (error.values["field"], error.values["value"], error.hint) == ("quantity", -5, "--line SKU:QTY")


@pytest.mark.parametrize("value", ["x" * 10_000, list(range(10_000)), b"\x00" * 5_000])
def test_invalid_input_shows_no_value_that_fills_the_screen(value: object) -> None:
    assert len(str(InvalidInput("field", value, "short"))) < 120


def test_a_name_that_is_not_there_comes_with_those_that_are_close() -> None:
    error = NotFound.named("SKU", "MGU", ["MUG", "PEN", "CUP"])
    assert (error.code, str(error), error.hint) == ("unknown_sku", "unknown SKU 'MGU'", "did you mean MUG?")
    assert error.values == {"name": "MGU", "close": ["MUG"]}


@pytest.mark.parametrize("name", ["", "zzz", "ZZZZZZZZZZ", "\U0001f600", "\x00"])
def test_a_name_that_is_like_none_gets_the_hint_of_the_caller(name: str) -> None:
    assert NotFound.named("order", name, ["1001"], hint="orderstate list").hint == "orderstate list"
    assert NotFound.named("order", name, []).hint is None


def test_a_beginning_is_close_too_and_no_more_than_three_are_named() -> None:
    known = [f"WAREHOUSE-{n:03}-IN-A-FARAWAY-PLACE" for n in range(50)]
    error = NotFound.named("facility", "ware", known)
    assert error.values["close"] == known[:3]


def test_a_kind_of_several_words_makes_one_code() -> None:
    assert NotFound.named("facility cost", "x").code == "unknown_facility_cost"

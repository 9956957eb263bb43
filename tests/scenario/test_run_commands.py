"""`run -`: one JSON object a line in, one answer a line out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orderstate import Engine, InvalidInput
from orderstate.scenario import run_commands


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine.create(tmp_path / "orders.db") as opened:
        opened.add_facility("DEN", country="US", at="39.74,-104.99")
        opened.receive("DEN", "MUG", 10)
        yield opened


def answers(engine: Engine, *lines: object, batch: int = 1) -> list[dict[str, Any]]:
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return list(run_commands(engine, text, batch))


STORY: list[dict[str, object]] = [
    {"command": "facility_add", "facility": "NYC", "country": "US", "at": "40.7,-74"},
    {"command": "facility_set", "facility": "NYC", "closed": True},
    {"command": "config_set", "setting": "short", "value": "split"},
    {"command": "count", "facility": "DEN", "items": [["HAT", "back", 4]]},
    {"command": "place", "lines": [{"sku": "MUG", "quantity": 2}, {"sku": "HAT", "quantity": 1}], "to": "US"},
    {"command": "advance", "order": "1001"},
    {"command": "untie", "order": "1001", "as": "system", "by": "robot"},
    {"command": "tie", "order": "1001", "only": "DEN", "strategy": "priority"},
    {"command": "cancel", "order": "1001", "lines": {"HAT": 1}, "reason": "too warm"},
    {"command": "redirect", "order": "1001", "to": "US@40,-105"},
    {"command": "ship", "order": "1001", "if_version": 6},
    {"command": "fire", "order": "1001", "trigger": "deliver"},
    {"command": "receive", "facility": "DEN", "items": [["MUG", 5, "back"], ["HAT", 1]]},
    {"command": "adjust", "facility": "DEN", "sku": "MUG", "by_units": -1, "reason": "broken"},
]


@pytest.mark.parametrize("batch", [1, 3, 500])
def test_every_command_is_understood_and_answered_in_order(engine: Engine, batch: int) -> None:
    found = answers(engine, *STORY, batch=batch)
    assert [line["line"] for line in found] == list(range(1, len(STORY) + 1))
    assert [line.get("error") for line in found] == [None] * len(STORY)
    assert found[11]["state"] == "delivered"
    assert [e.by for e in engine.history("1001").events] == [None, None, "robot", None, None, None, None, None]


def test_a_line_that_fails_does_not_stop_the_others(engine: Engine) -> None:
    place = {"command": "place", "lines": {"MUG": 1}, "to": "US"}
    found = answers(engine, place, "nonsense", {"command": "deliver", "order": "1001"}, place, batch=10)
    assert [line.get("order") for line in found] == ["1001", None, None, "1002"]
    assert [line["error"]["code"] for line in found[1:3]] == ["invalid_input", "not_from_here"]


def test_a_key_that_is_given_twice_is_named_and_changes_nothing(engine: Engine) -> None:
    """YAML refuses it too: the last one would be taken silently otherwise."""
    place = '{"command": "place", "lines": {"MUG": 1, "MUG": 3}, "to": "US"}'
    other = '{"command": "place", "lines": {"MUG": 1}, "to": "US", "to": "DE"}'
    found = answers(engine, "", place, other, {"command": "place", "lines": {"MUG": 1}, "to": "US"})
    assert [(line["line"], line.get("order")) for line in found] == [(2, None), (3, None), (4, "1001")]
    assert [line["error"]["sentence"] for line in found[:2]] == [
        "the key 'MUG' is given twice in one object: give it once",
        "the key 'to' is given twice in one object: give it once",
    ]
    assert [line["error"]["values"]["value"] for line in found[:2]] == ["MUG", "to"]


def test_blank_lines_and_comments_are_passed_over_and_lines_keep_their_numbers(engine: Engine) -> None:
    found = answers(engine, "# a comment", "", {"command": "place", "lines": {"MUG": 1}, "to": "US"})
    assert [line["line"] for line in found] == [3]


def test_with_a_batch_of_one_each_line_is_answered_before_the_next_is_read(engine: Engine) -> None:
    read: list[int] = []

    def stream() -> Iterator[str]:
        for n in range(3):
            read.append(n)
            yield json.dumps({"command": "place", "lines": {"MUG": 1}, "to": "US"})

    run = run_commands(engine, stream())
    next(run)
    assert read == [0]
    next(run)
    assert read == [0, 1]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"command": "tie"}, "order"),
        ({"command": "tie", "order": 7}, "order"),
        ({"command": "ship", "order": "1001", "only": "DEN"}, "field"),
        ({"command": "shipp", "order": "1001"}, "command"),
        ({"order": "1001"}, "command"),
        ([1, 2], "command"),
        ({"command": "place", "lines": {"MUG": 0}, "to": "US"}, "quantity"),
        ({"command": "place", "lines": {"MUG": True}, "to": "US"}, "quantity"),
        ({"command": "place", "lines": {"MUG": 1.5}, "to": "US"}, "quantity"),
        ({"command": "place", "lines": {}, "to": "US"}, "lines"),
        ({"command": "place", "lines": "MUG", "to": "US"}, "lines"),
        ({"command": "place", "lines": {"MUG": 1}, "to": 5}, "to"),
        ({"command": "place", "lines": {"MUG": 1}, "to": "Atlantis"}, "destination"),
        ({"command": "place", "lines": {"MUG": 1}, "to": "US", "as": "king"}, "as"),
        ({"command": "place", "lines": {"MUG": 1}, "to": "US", "key": ""}, "key"),
        ({"command": "tie", "order": "1001", "only": 3}, "only"),
        ({"command": "tie", "order": "1001", "complete": "yes"}, "complete"),
        ({"command": "receive", "facility": "DEN", "items": "MUG"}, "items"),
        ({"command": "facility_set", "facility": "DEN", "closed": "no"}, "closed"),
    ],
)
def test_a_line_that_cannot_be_used_names_the_field(engine: Engine, line: object, field: str) -> None:
    (found,) = answers(engine, line)
    assert found["error"]["values"]["field"] == field
    assert found["error"]["exit"] == 2
    assert sum(engine.counts().values()) == 0


def test_a_batch_size_that_cannot_be_used_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="batch"):
        answers(engine, "{}", batch=0)

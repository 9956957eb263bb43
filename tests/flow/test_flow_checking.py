"""Faulty flows, one for each finding: each is found, where it stands, and nothing else is.

`python tests/flow/test_flow_checking.py` writes what is found now into golden/findings.txt, to be looked at.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import orderstate.flow
from orderstate.errors import NotFound
from orderstate.flow import Finding, check, dump, examine
from orderstate.flow.events import past_tense
from orderstate.machine import STANDARD, Machine
from orderstate.model import Flow, GuardUse, State, Stock, Transition

HERE = Path(__file__).parent
FAULTY = sorted((HERE / "faulty").glob("*.yaml"))
GOLDEN = HERE / "golden" / "findings.txt"
ONLY_IN_PYTHON = {"timer_incomplete"}
"""What a file cannot say, because its reader refuses it by another code."""


WARNINGS = {"event_name", "guard_may_strand", "guard_misplaced"}


def told(path: Path) -> str:
    """What the check says of a file, without the folder."""
    _, findings = examine(path)
    return "".join(f"{finding}\n".replace(f"{path.parent}/", "") for finding in findings)


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_a_faulty_flow_has_its_finding_and_no_other(path: Path) -> None:
    _, findings = examine(path)
    assert {finding.code for finding in findings} == {path.stem}
    for finding in findings:
        assert finding.mark is not None
        assert Path(finding.mark.file).name == path.name
        assert finding.mend
        assert finding.level == ("warning" if path.stem in WARNINGS else "error")


def test_the_findings_are_the_ones_that_were_looked_at() -> None:
    assert "".join(map(told, FAULTY)) == GOLDEN.read_text(encoding="utf-8")


def codes() -> set[str]:
    """Every code that the room can give, from its source."""
    found = set()
    for path in Path(str(orderstate.flow.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            texts: list[ast.expr] = []
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                texts = node.args[:1] if name in ("at_state", "at_transition", "wrong") else []
                texts = node.args[2:3] if name == "at_path" else texts
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", "") == "code":
                texts = [node.value]
            found |= {text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)}
    return found


def test_there_is_a_faulty_flow_for_every_code() -> None:
    assert {"shadowed", "two_initial_states", "unusable_guard", "two_main_triggers"} <= codes()
    assert codes() - ONLY_IN_PYTHON <= {path.stem for path in FAULTY}


def test_every_code_is_in_the_documentation() -> None:
    text = (HERE.parents[1] / "docs" / "flows.md").read_text(encoding="utf-8")
    missing = [code for code in sorted({*codes(), *(path.stem for path in FAULTY)}) if f"`{code}`" not in text]
    assert missing == []


def test_the_standard_flow_has_no_finding() -> None:
    assert check(STANDARD) == []


def changed(**values: object) -> Flow:
    """The standard flow with other fields."""
    return replace(STANDARD, **values)  # type: ignore[arg-type]  # mypy cannot tell which field a name is


def only(findings: list[Finding]) -> Finding:
    """The one finding."""
    assert len(findings) == 1, findings
    return findings[0]


def test_a_flow_made_in_python_has_findings_without_a_line() -> None:
    finding = only(check(changed(path=("tie_inventory", "ship"))))
    assert (finding.code, finding.place, finding.mark) == ("path_broken", "path", None)
    assert str(finding).startswith("error path_broken: the main path does not lead from pending to a final state")
    assert finding.document() == {
        "code": "path_broken",
        "level": "error",
        "place": "path",
        "sentence": "the main path does not lead from pending to a final state: it ends in shipping",
        "mend": "add the trigger that leaves shipping towards a final state",
    }


@pytest.mark.parametrize(("after", "timer"), [(3_600_000_000, None), (None, "untie"), (0, "untie"), (-5, "untie")])
def test_half_a_timer_is_found(after: int | None, timer: str | None) -> None:
    states = tuple(replace(s, after=after, timer=timer) if s.name == "inventory_tied" else s for s in STANDARD.states)
    finding = only(check(changed(states=states)))
    assert (finding.code, finding.place) == ("timer_incomplete", "state inventory_tied")


def test_unknown_names_are_told_alone_because_all_else_follows_from_them() -> None:
    flow = changed(initial="pendng", path=("ship",), transitions=STANDARD.transitions[:2])
    assert [finding.code for finding in check(flow)] == ["unknown_state", "unknown_trigger"]
    assert check(flow)[0].mend == "did you mean pending?"


def test_states_given_twice_are_found_in_flows_made_in_python_too() -> None:
    flow = changed(states=(*STANDARD.states, State("pending", Stock.TIED)))
    assert only(check(flow)).code == "duplicate_state"
    assert only(check(changed(initial=""))).code == "no_initial_state"


def guarded(trigger: str, *uses: GuardUse) -> Flow:
    """The standard flow with other guards on one trigger."""
    return changed(
        transitions=tuple(replace(t, guards=uses) if t.trigger == trigger else t for t in STANDARD.transitions)
    )


def test_a_guard_that_always_refuses_is_a_dead_end_and_the_guard_is_named() -> None:
    deliver = guarded("deliver", GuardUse("goods_still_here"))
    found = {finding.code: finding for finding in check(deliver)}
    assert "goods_still_here" in found["dead_end"].sentence
    assert found["dead_end"].place == "state shipping"
    assert set(found) == {"dead_end", "trigger_nowhere", "unreachable_state"}


def test_a_dead_end_for_one_policy_only_says_for_which() -> None:
    flow = changed(
        transitions=tuple(
            replace(t, guards=(GuardUse("may_wait"),)) if t.trigger == "deliver" else t for t in STANDARD.transitions
        )
    )
    finding = only(check(flow))
    assert finding.code == "dead_end"
    assert "an order placed with --short refuse that is shipping can never move" in finding.sentence


def test_a_role_that_may_never_do_it_is_seen_through() -> None:
    assert check(guarded("untie", GuardUse("canceller_may", {"customer": "gone"}))) == []
    nobody = dict.fromkeys(("customer", "operator", "system"), "free")
    codes = {finding.code for finding in check(guarded("untie", GuardUse("canceller_may", nobody)))}
    assert codes == {"trigger_nowhere"}


def ship_twice(first: tuple[GuardUse, ...], second: tuple[GuardUse, ...]) -> Flow:
    """The standard flow with a second way to ship."""
    express = (
        Transition("ship", ("inventory_tied",), "shipping", "ShippingStarted", first),
        Transition("ship", ("inventory_tied",), "express", "ExpressStarted", second),
        Transition("deliver", ("express",), "delivered", "OrderDelivered"),
    )
    rest = tuple(t for t in STANDARD.transitions if t.trigger != "ship")
    return changed(states=(*STANDARD.states, State("express", Stock.GONE)), transitions=(*rest, *express))


LUCKY, HERE_STILL = GuardUse("random_flows:lucky"), GuardUse("goods_still_here")


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ((), (), True),
        ((), (LUCKY,), True),
        ((LUCKY,), (), False),
        ((LUCKY,), (LUCKY, HERE_STILL), True),
        ((LUCKY,), (GuardUse("may_wait"),), False),
        ((HERE_STILL,), (LUCKY,), True),
        ((GuardUse("may_wait"),), (GuardUse("stock_covers_order"),), False),
        ((GuardUse("canceller_may", {"operator": "free", "customer": "tied", "system": "tied"}),), (), False),
    ],
)
def test_a_transition_is_shadowed_when_no_guard_could_ever_let_it_through(
    first: tuple[GuardUse, ...], second: tuple[GuardUse, ...], hidden: bool
) -> None:
    found = [finding.code for finding in check(ship_twice(first, second)) if finding.level == "error"]
    assert found == (["shadowed"] if hidden else [])


def test_timers_that_race_past_a_guard_are_only_a_warning() -> None:
    hour = 3_600_000_000
    timed = {"pending": (hour, "tie_inventory"), "inventory_tied": (2 * hour, "untie")}
    states = tuple(
        replace(s, after=timed[s.name][0], timer=timed[s.name][1]) if s.name in timed else s for s in STANDARD.states
    )
    finding = only(check(changed(states=states)))
    assert (finding.code, finding.level, finding.place) == ("timers_race", "warning", "state pending")


def test_a_trigger_on_the_path_twice_or_beside_the_way_is_found() -> None:
    assert "twice" in only(check(changed(path=("tie_inventory", "ship", "ship", "deliver")))).sentence
    hold = Transition("hold", ("pending",), "on_hold", "OrderHeld")
    release = Transition("release", ("on_hold",), "pending", "OrderReleased")
    flow = changed(
        states=(*STANDARD.states, State("on_hold", Stock.FREE)),
        transitions=(*STANDARD.transitions, hold, release),
        path=("tie_inventory", "ship", "deliver", "release"),
    )
    assert "leaves none of its states" in only(check(flow)).sentence
    assert only(check(changed(path=()))).sentence == "the main path is empty"


@pytest.mark.parametrize("event", ["OrderPlaced", "HTTPRequestSent", "GoodsSentBack", "ParcelLost", "OrderPaid"])
def test_events_in_the_past_tense_are_known(event: str) -> None:
    assert past_tense(event)


@pytest.mark.parametrize("event", ["OrderPlace", "orderPlaced", "Order_Placed", "ORDER", "Ship", "placed", "Red"])
def test_other_names_are_not_taken_for_it(event: str) -> None:
    assert not past_tense(event)


def test_a_file_that_is_not_there_is_not_found_and_the_nearest_is_named() -> None:
    with pytest.raises(NotFound) as caught:
        examine(HERE / "faulty" / "shadwed.yaml")
    assert caught.value.code == "unknown_flow_file"
    assert "shadowed.yaml" in str(caught.value.hint)


def test_what_is_checked_without_errors_compiles() -> None:
    flow, findings = examine(HERE / "faulty" / "event_name.yaml")
    assert {finding.level for finding in findings} == {"warning"}
    assert flow is not None
    assert "untie" in Machine(flow).triggers


if __name__ == "__main__":
    GOLDEN.write_text("".join(map(told, FAULTY)), encoding="utf-8")


def test_a_field_of_remove_that_is_misspelt_is_told_alone(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("extends: standard\nremove: {state: [pending]}\n", encoding="utf-8")
    finding = only(examine(file)[1])
    assert (finding.code, finding.mend, finding.mark and finding.mark.line) == (
        "invalid_input",
        "did you mean states?",
        2,
    )


def test_a_copy_of_the_standard_flow_may_have_its_name(tmp_path: Path) -> None:
    file = tmp_path / "standard.yaml"
    file.write_text(dump(STANDARD), encoding="utf-8")
    assert examine(file)[1] == []
    file.write_text("extends: standard\nremove: {triggers: [untie]}\n", encoding="utf-8")
    assert [finding.code for finding in examine(file)[1] if finding.level == "error"][:1] == ["name_taken"]

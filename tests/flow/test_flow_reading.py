"""Reading flow files: what is meant is read, and what is wrong is told with file, line, column and the nearest name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.flow import dump, duration, duration_text, examine, from_document, load, read
from orderstate.machine import STANDARD, Machine
from orderstate.model import Flow, GuardUse, State, Stock, Transition

SMALL = """\
initial: open
path: [tie, ship]
states:
  open: {stock: free}
  tied: {stock: tied}
  sent: {stock: gone, final: true}
  void: {stock: free, final: true}
transitions:
  - {trigger: tie, from: open, to: tied, event: OrderTied, guards: stock_covers_order}
  - {trigger: ship, sources: [tied], target: sent, event: OrderShipped}
  - trigger: cancel
    from: any
    to: void
    event: OrderCancelled
    guards:
      - goods_still_here
      - canceller_may: {customer: free}
"""


def test_a_small_flow_is_read_as_it_is_written() -> None:
    assert read(SMALL, "small.yaml") == Flow(
        "small",
        "open",
        (
            State("open", Stock.FREE),
            State("tied", Stock.TIED),
            State("sent", Stock.GONE, final=True),
            State("void", Stock.FREE, final=True),
        ),
        (
            Transition("tie", ("open",), "tied", "OrderTied", (GuardUse("stock_covers_order"),)),
            Transition("ship", ("tied",), "sent", "OrderShipped"),
            Transition(
                "cancel",
                ("open", "tied"),
                "void",
                "OrderCancelled",
                (GuardUse("goods_still_here"), GuardUse("canceller_may", {"customer": "free"})),
            ),
        ),
        ("tie", "ship"),
    )


def test_a_flow_that_only_extends_the_standard_one_is_the_standard_one() -> None:
    assert read("extends: standard", "standard") == STANDARD


def test_a_state_replaces_the_state_of_its_name_with_all_of_its_fields() -> None:
    flow = read("extends: standard\nstates: {inventory_tied: {stock: tied, after: 2h, trigger: untie}}")
    assert [s.name for s in flow.states] == [s.name for s in STANDARD.states]
    assert flow.states[2] == State("inventory_tied", Stock.TIED, after=7_200_000_000, timer="untie")
    assert flow.transitions == STANDARD.transitions


def test_the_transitions_of_a_trigger_replace_all_of_that_trigger_where_they_stood() -> None:
    flow = read(
        "extends: standard\n"
        "transitions:\n"
        "  - {trigger: hold, from: pending, to: backordered, event: OrderHeld}\n"
        "  - {trigger: tie_inventory, from: pending, to: inventory_tied, event: InventoryTied}\n"
    )
    assert [t.trigger for t in flow.transitions] == ["tie_inventory", "untie", "ship", "deliver", "cancel", "hold"]
    assert flow.transitions[0] == Transition("tie_inventory", ("pending",), "inventory_tied", "InventoryTied")


def test_cancel_of_the_standard_flow_leads_out_of_new_states_too() -> None:
    flow = read("extends: standard\nstates: {on_hold: {stock: free}, lost: {stock: gone, final: true}}")
    cancel = next(t for t in flow.transitions if t.trigger == "cancel")
    assert cancel.sources == ("pending", "backordered", "inventory_tied", "shipping", "on_hold")


def test_a_flow_without_a_name_has_that_of_its_file_if_it_can_be_one(tmp_path: Path) -> None:
    for stem, name in (("my flow", "my flow"), ("x" * 81, "flow"), ("a\tb", "flow")):
        (tmp_path / f"{stem}.yaml").write_text(SMALL, encoding="utf-8")
        flow = load(tmp_path / f"{stem}.yaml")
        assert flow.name == name
        assert read(dump(flow)) == flow


def test_what_is_removed_goes_wherever_the_base_used_it() -> None:
    flow = read(
        "extends: timed.yaml\nremove: {states: [backordered, shipping], triggers: untie}\n",
        folder=write_base(Path(__file__).parent / "golden"),
    )
    assert [s.name for s in flow.states] == ["pending", "inventory_tied", "delivered", "cancelled"]
    assert [t.trigger for t in flow.transitions] == ["tie_inventory", "cancel"]
    assert flow.transitions[0].sources == ("pending",)
    assert flow.transitions[1].sources == ("pending", "inventory_tied")
    assert flow.path == ("tie_inventory",)
    assert all(state.timer is None for state in flow.states)


def write_base(folder: Path) -> Path:
    """The folder of timed.yaml: the standard flow with a timer."""
    text = "extends: standard\nstates:\n  inventory_tied: {stock: tied, after: 48h, trigger: untie}\n"
    assert (folder / "timed.yaml").read_text(encoding="utf-8") == text
    return folder


def test_a_file_extends_another_beside_it_and_errors_name_the_file_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "base.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "top.yaml").write_text("extends: deep/base.yaml\nstates: {tied: {stock: tied, label: held}}\n")
    flow = load(tmp_path / "top.yaml")
    assert (flow.name, flow.states[1].label) == ("top", "held")
    (tmp_path / "deep" / "base.yaml").write_text(SMALL.replace("to: void", "to: vod"), encoding="utf-8")
    with pytest.raises(NotFound) as caught:
        load(tmp_path / "top.yaml")
    assert caught.value.sentence == f"{tmp_path}/deep/base.yaml:13:9: unknown state 'vod'"
    assert caught.value.hint == "did you mean void?"


def test_flows_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("extends: ./a.yaml\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"b\.yaml:1:10: extends: './a\.yaml' leads back to this file, so"):
        load(tmp_path / "a.yaml")


REFUSED = {
    "": "f.yaml:1:1: flow is missing: give states, transitions, initial and path",
    "[]": "f.yaml:1:1: flow: 'a list' is not a mapping of name, extends, initial, path, states, transitions, remove",
    "states: {a: b: c}": "f.yaml:1:14: line: 'states: {a: b: c}' is not YAML: did not find",
    "a: 1\n---\nb: 2": "f.yaml:2:1: a second document begins here, and a flow file holds one",
    "states:\n\ta: {stock: free}": "f.yaml:2:1: line: 'a: {stock: free}' is indented with a tab, and YAML",
    "states:\n  a:\t\t{stock: free, label:\tx}\n\tb: {}": "f.yaml:3:1: line: 'b: {}' is indented with a",
    "states: {a: {stock: free}": "f.yaml:2:1: the text ends too early: did not find expected ',' or '}'",
    "states: *base": "f.yaml:1:9: *base stands for nothing: no anchor &base is complete before it",
    "states: &s {a: *s}": "f.yaml:1:16: *s stands for nothing: no anchor &s is complete before it",
    "states: \x07": "f.yaml: text: 'states: \\x07' is not YAML: ",
    "[" * 50: "f.yaml:1:21: the flow is nested more than 20 deep here",
    "- " * 100_000: "f.yaml:1:41: the flow is nested more than 20 deep here",
    "name: x": "f.yaml:1:1: states is missing: give the states of the flow, or extends: standard",
    "states: {}": "f.yaml:1:1: transitions is missing: give the transitions of the flow, or extends: standard",
    "extends: standard\nextend: x": "f.yaml:2:1: field: 'extend' is not a field of a flow: name, extends, ",
    "extends: standart": "f.yaml:1:10: unknown flow 'standart'",
    "extends:": "f.yaml:1:9: extends is missing: give standard, or another flow file",
    "extends: [a]": "f.yaml:1:10: extends: 'a list' is not standard, or another flow file",
    "extends: standard\nname: [a]": "f.yaml:2:7: name: 'a list' is not one line of at most 80 characters",
    "extends: standard\nname: a\nname: b": "f.yaml:3:1: name is given twice: line 2 has it, too",
    "extends: standard\ninitial: pendng": "f.yaml:2:10: unknown state 'pendng'",
    "extends: standard\npath: [ship, {}]": "f.yaml:2:14: path: 'a mapping' is not the triggers of the main path, in",
    "extends: standard\nstates: [a]": "f.yaml:2:9: states: 'a list' is not a mapping of names to states",
    "extends: standard\nstates:\n  held:": "f.yaml:3:8: states.held: 'nothing' is not a mapping of stock, final,",
    "extends: standard\nstates:\n  held: {}": "f.yaml:3:3: states.held.stock is missing: give one of free, tied, gone",
    "extends: standard\nstates: {any: {stock: free}}": "f.yaml:2:10: state: 'any' is not a name: a letter, then",
    "extends: standard\nstates: {a: {stock: Free}}": "f.yaml:2:21: states.a.stock: 'Free' is not one of free, tied,",
    "extends: standard\nstates: {a: {stock: free, label: [x]}}": "f.yaml:2:34: states.a.label: 'a list' is not one",
    "extends: standard\nstates: {a: {stock: free, after: 4h}}": "f.yaml:2:27: states.a.trigger is missing: give the",
    "extends: standard\nstates: {a: {stock: free, trigger: ship}}": "f.yaml:2:27: states.a.after is missing: give",
    "extends: standard\nstates: {a: {stock: free, after: 11y, trigger: ship}}": "f.yaml:2:34: states.a.after: '11y'",
    "extends: standard\ntransitions: {}": "f.yaml:2:14: transitions: 'a mapping' is not a list of transitions",
    "extends: standard\ntransitions: [x]": "f.yaml:2:15: transition 1: 'x' is not a mapping of trigger, from, to,",
    "extends: standard\ntransitions: [{from: pending}]": "f.yaml:2:15: transition 1: trigger is missing: give the verb",
    "extends: standard\ntransitions: [{trigger: a, from: pending, sources: pending, to: shipping, event: Sent}]": (
        "f.yaml:2:43: transition a.from is given twice: line 2 has it, too"
    ),
    "extends: standard\ntransitions: [{trigger: a, from: [any, pending], to: shipping, event: Sent}]": (
        "f.yaml:2:35: transition a: from lists any beside other states, but it means all of them"
    ),
    "extends: standard\ntransitions: [{trigger: a, from: [pending, pending], to: shipping, event: Sent}]": (
        "f.yaml:2:44: a names the source pending twice"
    ),
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping, event: a b}]": (
        "f.yaml:2:64: event: 'a b' is not a name: a letter, then letters, digits, '_' or '-', at most 64"
    ),
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping, event: Sent, guards: [{}]}]": (
        "f.yaml:2:79: transition a: guards: 'a mapping' is not a guard such as stock_covers_order, or canceller_may: {"
    ),
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping, event: Sent, guards: [may_wait: x]}]": (
        "f.yaml:2:89: transition a: guards: may_wait: 'x' is not a mapping of its parameters to words"
    ),
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping, event: Sent, guards: may_wat}]": (
        "f.yaml:2:78: unknown guard 'may_wat'"
    ),
    "extends: standard\nremove: {states: pendng}": "f.yaml:2:18: unknown state 'pendng'",
    "extends: standard\nremove: {triggers: [ship, shop]}": "f.yaml:2:27: unknown trigger 'shop'",
    "extends: standard\nremove: {states: a}\nstates: {a: {stock: free}}": "f.yaml:2:18: unknown state 'a'",
    "extends: standard\nremove: {states: pending}\nstates: {pending: {stock: free}}": (
        "f.yaml:2:18: pending is removed, but this file declares it, which replaces it already"
    ),
    SMALL + "remove: {states: void}\n": "f.yaml:18:1: remove takes away from what a flow extends, but this one",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:60]))
def test_what_cannot_be_read_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as caught:
        read(text, "f.yaml")
    assert caught.value.sentence.startswith(REFUSED[text])
    assert caught.value.values["file"] == "f.yaml"


def test_an_error_carries_file_line_and_column_for_programs() -> None:
    with pytest.raises(NotFound) as caught:
        read("extends: standard\ninitial: pendng", "shop.yaml")
    error = caught.value.document()["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["exit"], error["hint"]) == ("unknown_state", 3, "did you mean pending?")
    assert {"file": "shop.yaml", "line": 2, "column": 10, "name": "pendng"}.items() <= error["values"].items()


def test_all_faults_of_a_file_are_found_at_once_in_the_order_in_which_they_stand() -> None:
    _, findings = examine(Path(__file__).parent / "faulty" / "invalid_input.yaml")
    places = [(f.mark.line, f.mark.column) for f in findings if f.mark]
    assert len(places) == len(findings) == 6
    assert places == sorted(places)


def test_a_slip_in_a_transition_is_told_once_and_not_again_where_its_trigger_is_used() -> None:
    text = SMALL.replace("target: sent", "target: []")
    with pytest.raises(InvalidInput, match=r"10:46: transition ship: to: 'a list' is not the state that it leads to"):
        read(text, "f.yaml")


def test_words_that_yaml_takes_for_something_else_are_names_here() -> None:
    text = SMALL.replace("open", "on").replace("void", "no").replace("tied:", "null_1:").replace("tied", "null_1")
    flow = read(text.replace("stock: null_1", "stock: tied"))
    assert [state.name for state in flow.states] == ["on", "null_1", "sent", "no"]


def test_a_byte_order_mark_is_no_part_of_the_flow_and_other_encodings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(SMALL, encoding="utf-8-sig")
    assert load(file).initial == "open"
    file.write_bytes(SMALL.encode("utf-16"))
    with pytest.raises(InvalidInput, match=r":\d+:\d+: .* is not text in UTF-8"):
        load(file)
    with pytest.raises(InvalidInput, match="is a folder, not a flow file"):
        load(tmp_path)
    with pytest.raises(InvalidInput, match="flow has more than 1,000,000 characters"):
        read("#" * 1_000_001)
    with pytest.raises(InvalidInput, match="is not YAML"):
        read("name: \udcff")


def test_a_document_reads_no_files_and_names_its_field_where_it_is_wrong() -> None:
    assert from_document({"extends": "standard"}, "standard") == STANDARD
    with pytest.raises(InvalidInput, match=r"^extends: 'mine\.yaml' is not standard: a flow that is no file"):
        from_document({"extends": "mine.yaml"})
    with pytest.raises(InvalidInput, match=r"^kept: states\.a\.stock: 'fre' is not one of free, tied, gone$"):
        from_document({"states": {"a": {"stock": "fre"}}, "transitions": []}, "kept")
    with pytest.raises(InvalidInput, match="is not a JSON document"):
        from_document({"states": {"a": {"stock": b"free"}}, "transitions": []})
    deep: dict[str, object] = {}
    deep["states"] = deep
    with pytest.raises(InvalidInput, match="is not a document that is nested less deeply"):
        from_document(deep)


@pytest.mark.parametrize(
    ("text", "micros", "again"),
    [
        ("48h", 172_800_000_000, "48h"),
        ("2d", 172_800_000_000, "48h"),
        ("1w", 604_800_000_000, "7d"),
        ("90m", 5_400_000_000, "90m"),
        ("60s", 60_000_000, "1m"),
        ("1500ms", 1_500_000, "1500ms"),
        ("7us", 7, "7us"),
    ],
)
def test_a_time_is_told_in_the_unit_that_people_would_use(text: str, micros: int, again: str) -> None:
    assert duration(text) == micros
    assert duration_text(micros) == again
    assert duration(again) == micros


@pytest.mark.parametrize("text", ["", "0h", "48", "h", "-1h", "1.5h", "1h30m", "4 h", "3651d", "9" * 30 + "d", "٣h"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert duration(text) is None


def test_yaml_and_transitions_are_imported_only_when_they_are_needed() -> None:
    code = (
        "import sys\n"
        "from orderstate.flow import check, exhaustive, from_document, schema, table\n"
        f"flow = from_document({{**{small_document()!r}}})\n"
        "assert check(flow) == [] and exhaustive(flow).nodes and schema() and table(flow)\n"
        "assert 'yaml' not in sys.modules\n"
        "assert not {'transitions', 'sqlmodel', 'sqlalchemy', 'typer', 'rich'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def small_document() -> dict[str, object]:
    """SMALL as JSON values."""
    from orderstate.flow import document

    return document(read(SMALL, "small"))


def test_the_machine_compiles_what_is_read() -> None:
    machine = Machine(read(SMALL))
    assert machine.choices("open") == ("tie", "cancel")
    assert machine.next_step("tied") == "ship"
    with pytest.raises(OrderstateError):
        Machine(replace(read(SMALL), initial="nowhere"))


def test_what_is_no_utf_8_is_told_with_its_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("extends: standard\nname: caf\u00e9\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"latin\.yaml:2:10: .*is not text in UTF-8") as caught:
        load(file)
    assert (caught.value.values["line"], caught.value.values["column"]) == (2, 10)


def test_a_folder_is_no_flow_to_extend_and_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "f.yaml").write_text("extends: base\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"f\.yaml:1:10: extends: 'base' is a folder, not a flow file"):
        load(tmp_path / "f.yaml")

"""Laws that hold for flows that nobody thought of: what the check accepts strands no order and leaks no stock."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from random_flows import certain, made, walk

from orderstate.errors import InvalidInput, NotFound
from orderstate.flow import (
    PROMISES,
    Counterexample,
    Proof,
    check,
    compare,
    document,
    dump,
    exhaustive,
    from_document,
    read,
    recorded,
    table,
)
from orderstate.flow.timing import LONGEST
from orderstate.machine import Machine
from orderstate.model import Flow, GuardUse, State, Stock, Transition

_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(lambda name: name != "any")
_tricky = st.sampled_from(["on", "no", "yes", "null", "true", "n", "Off", "y", "e1", "a-b", "initial", "from"])
_labels = st.text(min_size=1, max_size=20).filter(str.isprintable)


@st.composite
def declared(draw: st.DrawFn) -> Flow:
    """Any flow whose names are known: it may be as faulty as it likes otherwise."""
    states = draw(st.lists(_names | _tricky, min_size=1, max_size=6, unique=True))
    verbs = draw(st.lists(_names | _tricky, min_size=1, max_size=5, unique=True))
    state, trigger = st.sampled_from(states), st.sampled_from(verbs)
    roles = st.sampled_from(["customer", "operator", "system"])
    plain = st.sampled_from(["stock_covers_order", "may_wait", "goods_still_here", "random_flows:lucky"]).map(GuardUse)
    may = st.dictionaries(roles, st.sampled_from(["free", "tied", "gone"])).map(lambda p: GuardUse("canceller_may", p))
    event = st.from_regex(r"[A-Z][a-z]{1,8}ed", fullmatch=True)
    sources = st.lists(state, max_size=4, unique=True).map(tuple)
    uses = st.lists(plain | may, max_size=3).map(tuple)
    transitions = draw(st.lists(st.builds(Transition, trigger, sources, state, event, uses), min_size=1, max_size=7))
    known = st.sampled_from([t.trigger for t in transitions])
    timers = st.none() | st.tuples(st.integers(1, LONGEST), known)
    kinds = [(draw(st.sampled_from(Stock)), draw(st.booleans()), draw(st.none() | _labels)) for _ in states]
    return Flow(
        draw(_names),
        draw(state),
        tuple(State(name, *kind, *(draw(timers) or (None, None))) for name, kind in zip(states, kinds, strict=True)),
        tuple(transitions),
        tuple(draw(st.lists(known, max_size=4))),
    )


@settings(max_examples=80, deadline=None)
@given(declared())
def test_what_is_written_reads_back_as_the_same_flow(flow: Flow) -> None:
    text = dump(flow)
    assert read(text) == flow
    assert dump(read(text)) == text
    kept = json.loads(json.dumps(document(flow)))
    assert from_document(kept) == recorded(kept) == flow


@settings(max_examples=100, deadline=None)
@given(declared())
def test_every_flow_whose_names_are_known_compiles_and_gets_an_answer(flow: Flow) -> None:
    Machine(flow)
    findings = check(flow)
    answer = exhaustive(flow, limit=3000)
    assert isinstance(answer, Proof) or any(f.level == "error" for f in findings), answer
    assert not any(f.code.startswith("unknown") for f in findings)
    assert [row.state for row in table(flow).rows] == [state.name for state in flow.states]


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_the_check_accepts_strands_no_order_and_leaks_no_stock(random: Random) -> None:
    flow = made(random)
    if all(finding.level != "error" for finding in check(flow)):
        answer = exhaustive(flow)
        assert isinstance(answer, Proof), [step.sentence for step in answer.steps]
        walk(flow, random, steps=30)


def test_the_law_is_not_empty_many_flows_are_accepted_and_many_break_each_promise() -> None:
    seen: Counter[str] = Counter()
    for seed in range(120):
        random = Random(seed)
        flow = made(random)
        findings = check(flow)
        accepted = all(finding.level != "error" for finding in findings)
        answer = exhaustive(flow)
        seen["accepted" if accepted else "refused"] += 1
        if isinstance(answer, Counterexample):
            seen[answer.broken] += 1
        if accepted:
            assert isinstance(answer, Proof), (seed, [step.sentence for step in answer.steps])
            walk(flow, random, steps=60)
            assert len(answer.provided) == sum(finding.code == "guard_may_strand" for finding in findings)
            seen["provided" if answer.provided else "certain"] += 1
            if not answer.provided:
                certain(flow, random)
    assert min(seen["accepted"], seen["refused"]) > 30
    assert min(seen["provided"], seen["certain"]) >= 5
    assert set(PROMISES) <= set(seen)


_TEXT = (Path(__file__).parents[2] / "examples" / "flows" / "payment.yaml").read_text(encoding="utf-8")
_SCRAPS = st.sampled_from(
    ["", " ", "\n", ":", "- ", "{", "}", "[", "]", ",", "#", "&a ", "*a", "any", "null", "'", "\t"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_TEXT)), st.integers(0, 12), _SCRAPS), min_size=1, max_size=4))
def test_a_file_that_was_damaged_is_read_or_refused_but_never_breaks_the_reader(
    cuts: list[tuple[int, int, str]],
) -> None:
    text = _TEXT
    for at, length, scrap in cuts:
        text = text[:at] + scrap + text[at + length :]
    refused = None
    try:
        flow = read(text, "damaged.yaml")
    except (InvalidInput, NotFound) as error:
        refused = error.sentence
    else:
        check(flow)
        assert read(dump(flow)) == flow
    assert refused is None or refused.startswith("damaged.yaml:")


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_same_flow_always_gets_the_same_answer(random: Random) -> None:
    flow = made(random)
    again = read(dump(flow))
    assert check(again) == check(flow)
    assert exhaustive(again, limit=2000) == exhaustive(flow, limit=2000)
    assert not compare(flow, again)
    assert compare(flow, again).must_map == ()

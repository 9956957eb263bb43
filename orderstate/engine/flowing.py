"""The flow in force: putting another one in its place without stranding an order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from orderstate.engine.answer import Answer
from orderstate.engine.commands import UseFlow
from orderstate.engine.session import FLOW, Session, kept
from orderstate.errors import InvalidInput, NotInstalled, Refused
from orderstate.flow import check, compare, document, from_document, mapping, recorded, unending
from orderstate.machine import STANDARD
from orderstate.model import Flow, Refusal
from orderstate.store import network, orders
from orderstate.store.sqlite import Transaction

_REPLACED = "flow."
"""The settings under these keys, followed by a number from 1, keep the flows that were in force before."""


def use_flow(s: Session, c: UseFlow) -> Answer:
    """Put a flow in force; orders in states that it lacks go where the mapping says: FlowChanged.

    Refused where the check finds an error; where orders would be stranded: in states that are lacking and not mapped,
    or from which their kind of order never comes to an end; and where the mapping takes orders that have ended to where
    they go on, which only `reopen` allows. Raises InvalidInput and NotFound for the mapping.
    """
    old = _present(s)
    new = STANDARD if c.flow == document(STANDARD) else from_document(c.flow)
    _sound(new)
    pairs = mapping(old, new, c.mapping)
    turn = _in_turn(pairs)
    standing = orders.counts(s.tx)
    _nobody_stranded(s, old, new, pairs, standing)
    if not c.reopen:
        _nobody_revived(old, new, pairs, standing)
    changed = new != old
    if changed:
        if standing:
            _keep(s, old)
        network.configure(s.tx, FLOW, None if new == STANDARD else json.dumps(document(new), ensure_ascii=False))
    s.changes_network = True
    moved = [(source, pairs[source], _move_all(s, new, source, pairs[source])) for source in turn if source in standing]
    return Answer(
        {
            "command": c.name,
            "flow": new.name,
            "was": old.name,
            "mapped": [{"from": source, "to": target, "orders": number} for source, target, number in moved],
            "changed": changed or bool(moved),
            "exit": 0,
        }
    )


def _keep(s: Session, old: Flow) -> None:
    """Keep a flow that orders went through: what happened to them can be told again only with it."""
    kept = {"until": s.now, "flow": None if old == STANDARD else document(old)}
    network.configure(s.tx, f"{_REPLACED}{len(replaced(s.tx)) + 1}", json.dumps(kept, ensure_ascii=False))


def replaced(tx: Transaction) -> list[tuple[Flow, int]]:
    """(flow, when it was replaced in UTC microseconds) of each flow that was in force while there were orders.

    Oldest first. No guard is looked up.
    """
    rows = {key: text for key, text in network.settings(tx).items() if key.startswith(_REPLACED)}
    found = [json.loads(rows[key]) for key in sorted(rows, key=lambda key: int(key.removeprefix(_REPLACED)))]
    return [(STANDARD if one["flow"] is None else recorded(one["flow"]), one["until"]) for one in found]


def _present(s: Session) -> Flow:
    """The flow in force, also where a guard that it names is missing: putting another in its place is the way out."""
    try:
        return s.machine.flow
    except NotInstalled:
        return kept(s.tx)


def _sound(flow: Flow) -> None:
    wrong = [finding for finding in check(flow) if finding.level == "error"]
    if wrong:
        raise unsound(flow.name, [Refusal(f.code, f"{f.place}: {f.sentence}", f.mend, f.document()) for f in wrong])


def unsound(name: str, findings: list[Refusal], hint: str = "orderstate flow check FILE") -> Refused:
    """The error for a flow in which the check finds errors."""
    return Refused(f"flow {name} cannot be put in force", code="flow_unsound", hint=hint, blocked=findings, flow=name)


def _nobody_stranded(s: Session, old: Flow, new: Flow, pairs: Mapping[str, str], standing: Mapping[str, int]) -> None:
    lacking = list(_nowhere(old, new, pairs, standing))
    endless = list(_endless(s, new, pairs, standing))
    if not lacking and not endless:
        return
    maps = [f"--map {r.values['state']}={target}" for r in lacking for target in _first(r.values["fit"])]
    raise Refused(
        f"flow {new.name} cannot be put in force: it would strand orders",
        code="orders_stand_there",
        hint=" ".join(["orderstate flow use FILE", *(f"--map {a}={b}" for a, b in pairs.items()), *maps])
        if maps
        else f"orderstate list --state {(lacking or endless)[0].values['state']}",
        blocked=[*lacking, *endless],
        flow=new.name,
    )


def _nobody_revived(old: Flow, new: Flow, pairs: Mapping[str, str], standing: Mapping[str, int]) -> None:
    """What has ended was told to others as the end; it does not go on because a mapping was written in haste."""
    before, after = ({state.name: state for state in flow.states} for flow in (old, new))
    found = []
    for name, target in pairs.items():
        number = standing.get(name, 0)
        if not number or not before[name].final or after[target].final:
            continue
        ends = [state.name for state in new.states if state.final and state.stock is before[name].stock]
        found.append(
            Refusal(
                "orders_reopened",
                f"{_stand(number)} in {name}, where orders end: in {target} they would go on",
                f"--map {name}={ends[0]}" if ends else "--reopen, if that is meant",
                {"state": name, "orders": number, "ends": ends},
            )
        )
    if found:
        raise Refused(
            f"flow {new.name} cannot be put in force: it would re-open orders that have ended",
            code="orders_reopened",
            hint=" ".join(["orderstate flow use FILE", *(f"--map {a}={b}" for a, b in pairs.items()), "--reopen"]),
            blocked=found,
            flow=new.name,
        )


def _first(fit: object) -> list[str]:
    return [str(name) for name in fit[:1]] if isinstance(fit, list) else []


def _nowhere(old: Flow, new: Flow, pairs: Mapping[str, str], standing: Mapping[str, int]) -> Iterator[Refusal]:
    """Orders in states that the new flow lacks, or that mean something else for stock in it."""
    stock = {state.name: state.stock for state in old.states}
    final = {state.name: state.final for state in old.states}
    difference = compare(old, new)
    for name in difference.must_map:
        number = standing.get(name, 0)
        if not number or name in pairs:
            continue
        states = [state for state in new.states if state.stock is stock[name]]
        # What is over stays over and what is not goes on, unless somebody wants it otherwise.
        fit = [state.name for state in sorted(states, key=lambda state: state.final is not final[name])]
        why = f"flow {new.name} has no state {name}"
        if name not in difference.missing:
            why = f"{name} means something else for stock in flow {new.name}"
        yield Refusal(
            "orders_stand_there",
            f"{_stand(number)} in {name}: {why}",
            f"--map {name}={fit[0]}" if fit else f"move them out of {name} first: no state is {stock[name]} there",
            {"state": name, "orders": number, "fit": fit},
        )


def _endless(s: Session, new: Flow, pairs: Mapping[str, str], standing: Mapping[str, int]) -> Iterator[Refusal]:
    """Orders that would stand where orders of their policy never come by themselves, and could go astray from there.

    The check cannot find them: it looks at orders that were placed under the new flow.
    """
    stuck = unending(new)
    for name, number in standing.items():
        policies = stuck.get(pairs.get(name, name), ())
        if not number or not policies:
            continue
        found = {policy: n for policy, n in orders.policies(s.tx, name).items() if policy in policies}
        if found:
            target = pairs.get(name, name)
            yield Refusal(
                "orders_never_end",
                f"{_stand(sum(found.values()))} in {name}, placed with --short {' or '.join(sorted(found))}: from "
                f"{target} such an order can come to where it never ends in flow {new.name}",
                f"move them out of {name} first, or map {name} to another state",
                {"state": name, "orders": sum(found.values()), "short": sorted(found)},
            )


def _stand(number: int) -> str:
    return "1 order stands" if number == 1 else f"{number:,} orders stand"


def _in_turn(pairs: Mapping[str, str]) -> list[str]:
    """The states to empty, each before orders of another one come into it. Raises InvalidInput for a circle."""
    left = {source: target for source, target in pairs.items() if source != target}
    found: list[str] = []
    while left:
        ready = [source for source, target in left.items() if target not in left]
        if not ready:
            circle = ", ".join(f"{source}={target}" for source, target in left.items())
            raise InvalidInput("map", circle, "free of circles: let the states change places in two flows")
        found += ready
        for source in ready:
            del left[source]
    return found


def _move_all(s: Session, new: Flow, source: str, target: str) -> int:
    """Take every order of one state to another; each gets an event of its own."""
    listeners = s.ground().listeners.to("FlowChanged")  # once: a shop has many orders
    moved = 0
    while page := orders.entered(s.tx, source):
        for serial, order_id, version, _ in page:
            orders.remap(s.tx, serial, version, target, s.now)
            s.record(
                order_id,
                version + 1,
                "FlowChanged",
                {"flow": new.name},
                trigger="use_flow",
                source=source,
                target=target,
                listeners=listeners,
            )
        moved += len(page)
    return moved

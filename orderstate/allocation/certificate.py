"""What a plan keeps of its proof: enough for `verify` to repeat it without searching, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.allocation.instance import Instance
from orderstate.allocation.relaxation import EVERY
from orderstate.allocation.search import Search


def certificate(search: Search, weight: int = 0, *, whole: bool = True) -> dict[str, Any]:
    """The certificate of a search, JSON values only.

    verified: what `verify` can establish: `all`, the plan's bound; or `root`, only the bound of the first node, since
    the rest of the search had too many nodes to keep; that bound is `root`, in 1/1000 minor unit. bits: prices are in
    1/2^bits of 1/1000 minor unit. weight: what is added to every shipment's cost, where shipments come before money.
    proof: per node, how many more facilities were tried outright, the prices, and the branches by facility code; at the
    root also which facilities were dropped as too dear before the prices, since the floors of the others depend on it.
    `whole`: False for the root alone.
    """
    instance = search.instance
    verified = "all" if whole and search.proof_whole else "root"
    if whole and not search.proof_whole and search.best is not None:
        root = instance.least(search.root_bound)
        if root >= instance.money(search.best):
            verified, whole = "all", False
    whole = whole and search.proof_whole
    # So fine that what all prices lose together is less than what the tie digits leave of 1/1000 minor unit.
    units = sum(need for need, _ in instance.lines) + len(instance.fixed) * (len(instance.lines) + 1)
    bits = min((2 * (len(instance.problem.sites.codes) + 2) * units).bit_length(), instance.shift)
    found: dict[str, Any] = {"verified": verified, "bits": bits}
    if weight:
        found["weight"] = weight
    if verified == "root":
        found["root"] = instance.least(search.root_bound)
    found["proof"] = _node(instance, search.proof, bits, whole)
    return found


def _node(instance: Instance, proof: Mapping[str, Any], bits: int, branches: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    codes = instance.problem.sites.codes
    if "tried" in proof:
        found["tried"] = proof["tried"]
    if "prices" in proof:
        marks, prices = proof["prices"]
        down = instance.shift - bits
        skus = instance.problem.skus
        found["lines"] = [price >> down for price in prices[len(marks) :]]
        for mark, price in zip(marks, prices, strict=False):
            if mark == EVERY:
                found["shipments"] = price >> down
            elif price:
                found.setdefault("gaps", {})[skus[instance.numbers[mark]]] = price >> down
    if proof.get("dropped"):
        found["dropped"] = [codes[facility] for facility in proof["dropped"]]
    if branches and "branch" in proof:
        found["branch"] = codes[proof["branch"]]
        found["open"] = _node(instance, proof["open"], bits, branches)
        found["shut"] = _node(instance, proof["shut"], bits, branches)
    return found

"""The report of a simulation: one HTML page that needs nothing else, for whoever decides about the network.

    from orderstate.history.report_page import write_report

    write_report(simulate(...), "report.html")

It has no script and loads nothing. The same result gives the same bytes. Drawing needs matplotlib, the extra `report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orderstate import __version__, outputs
from orderstate.history.simulating.drawing import require_matplotlib
from orderstate.history.simulating.figures import count, day, few, percent
from orderstate.history.simulating.hypertext import Cell, notes, safe, section, table
from orderstate.history.simulating.result import Simulation
from orderstate.history.simulating.sections import Compared, costs, filled, headline, loads, scenarios, shipments
from orderstate.history.simulating.sections_flows import flows
from orderstate.settings import SETTINGS

__all__ = ["report_page", "require_matplotlib", "write_report"]

_STYLE = Path(__file__).parent / "simulating" / "page.css"
# Belt and braces: a browser would refuse to load anything, if there were anything to load.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CLOSED = {
    False: "The stock of a closed facility stays behind and cannot be sold.",
    True: "The stock of a closed facility goes to the nearest one that stays open.",
}


def write_report(found: Simulation, file: str | Path) -> None:
    """Write the page to a file, whole or not at all.

    Raises NotInstalled without matplotlib, and what `outputs.write` raises for a file that cannot be written.
    """
    outputs.write(file, report_page(found), "report")


def report_page(found: Simulation) -> str:
    """The page. Raises NotInstalled without matplotlib."""
    require_matplotlib()
    seen = Compared.base(found)
    title = f"{_listed(seen.names)} on {count(found.orders)} orders"
    parts = (headline, costs, shipments, filled, loads, flows, scenarios, _reading, _sources)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>Simulation: {safe(title)}</title>\n"
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{safe(title)}</h1>\n"
        f'<p class="verdict">{safe(_verdict(seen))}</p>\n<p class="from">{safe(_history(found))}</p>\n</header>\n'
        f"<main>\n{''.join(part(seen) for part in parts)}</main>\n"
        f"<footer><p>Made by orderstate {safe(__version__)}. The same input gives this same page.</p></footer>\n"
        "</body>\n</html>\n"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verdict(seen: Compared) -> str:
    """The page in one sentence."""
    best = min(seen.outcomes, key=lambda outcome: outcome.common_cost)
    worst = max(seen.outcomes, key=lambda outcome: outcome.common_cost)
    if not best.shipped_orders:
        return "Nothing could be shipped: stock covers no order."
    price = f"{seen.money.each(best.common_cost_per_order)} {seen.money.unit}"
    if best.common_cost == worst.common_cost:
        who = f"{best.strategy} costs" if len(seen.names) == 1 else "All strategies cost"
        return f"{who} {price} an order, in {few(best.shipments_per_order)} shipments."
    less = percent(1 - best.common_cost / worst.common_cost)
    return f"{best.strategy} costs {price} an order: {less} less than {worst.strategy}."


def _history(found: Simulation) -> str:
    """What was played, in one sentence."""
    return (
        f"{count(found.orders)} orders of {count(found.units)} units from {day(found.first_at)} to "
        f"{day(found.last_at)}, each planned again on the stock that the orders before it had left."
    )


def _reading(seen: Compared) -> str:
    """How to read the page."""
    found = seen.found
    said = [
        "Every strategy sees the same orders, in the order of their dates, and begins with the same stock. Nothing "
        "comes in while they are played.",
        "The cost of an order is what the cost model of the settings below says, not what was paid: freight by "
        "distance and weight, handling, and a penalty for each shipment after the first.",
        "Compare costs only where the same is filled. Between strategies, costs are compared on the orders that all "
        "of them filled; between networks, on the orders that the strategy filled in both.",
        "Kilometres go from the facility to the destination or, for orders abroad, to the airport; the flight is not "
        "among them. A destination at home of which only the country is known counts 0 km.",
        "A plan is proven where the solver has shown that none costs less. That is about one order at a time: what "
        "later orders will need, no strategy knows.",
    ]
    unknown = sum(outcome.unknown_ways for outcome in seen.outcomes)
    if unknown:
        said.append(f"{count(unknown)} shipments go an unknown way and are not among the kilometres.")
    if any(scenario.closed for scenario in found.scenarios):
        said.append(_CLOSED[found.move_stock])
    return section("reading", "How to read this", "", notes(said))


def _sources(seen: Compared) -> str:
    """The files, what was left out, and the settings."""
    found = seen.found
    rows: list[tuple[str, Sequence[Cell]]] = [
        ("Orders", [f"{found.orders_file}, read by the mapping {found.mapping}"]),
        ("Facilities", [found.facilities_file]),
        ("Stock", [found.stock_file]),
        ("Rows", [f"{count(found.rows)}, of which {count(found.lines)} order lines came"]),
        *(("Left out", [f"{count(rows)} rows: {reason}"]) for reason, rows in found.left_out.items()),
        ("Not played", [f"{count(found.cancellations)} cancellations"]),
        ("Articles", [f"{count(found.skus)} ordered; {count(found.skus_never_stocked)} of them never stocked"]),
    ]
    if found.bad:
        rows.append(("Bad rows", [f"{count(found.bad)}, passed over"]))
    settings: list[tuple[str, Sequence[Cell]]] = []
    for key, value in found.settings.items():
        declared = SETTINGS[key]
        was = f" (default: {declared.default or 'none'})" if value != declared.default else ""
        unit = (
            declared.unit if value and value != "none" and declared.unit.startswith(("minor", "ship", "node")) else ""
        )
        settings.append((key, [f"{value or 'none'} {unit}".rstrip() + was]))
    content = (
        f'<div class="words">{table("Files and what came of them", ["What", ""], rows)}\n'
        f"{table('Settings', ['Setting', 'Value'], settings)}</div>\n"
    )
    return section("sources", "What this was computed from", "", content)

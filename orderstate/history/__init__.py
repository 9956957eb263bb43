"""Order history: files of past orders, read by a mapping, placed at their date or played again in time order.

    from orderstate import Engine
    from orderstate.history import import_orders

    with Engine.open("orderstate.db") as engine:
        summary = import_orders(engine, "online_retail.csv.gz", mapping="online-retail", replay=True)
        print(summary.document())

`import_orders(engine, file, *, mapping="online-retail", replay=False, ship_after=24 h, deliver_after=None,
bad="refuse", batch=500, report=None, progress=None) -> Summary`. Delays are microseconds; None: never. Raises NotFound
(file, mapping, SKU), InvalidInput (mapping, a column, an option), BadRows (under `refuse`), and what the engine raises
about a whole database (Locked, ReadOnly, Damaged). `docs/import.md` has the mapping format and the summary's fields.
"""

from __future__ import annotations

from orderstate.history.importing import import_orders
from orderstate.history.mapping import OrderMapping, built_in
from orderstate.history.reading import Reader, Row
from orderstate.history.summary import BadRow, Summary

__all__ = ["BadRow", "OrderMapping", "Reader", "Row", "Summary", "built_in", "import_orders"]

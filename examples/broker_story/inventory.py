"""The inventory service: has the goods, ties the best of them to each order, buys what is lacking, and decides what can
be cancelled.

`python inventory.py FOLDER BROKER`
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from parts import DESK, INVENTORY, ORDERS, consuming, relaying, rest, serve, working

from orderstate import Engine
from orderstate.events.waking import Bell


def main(folder: Path, broker: str) -> int:
    """Everything that the service does, until it is told to stop."""
    database = folder / "inventory.db"

    def buying(bell: Bell) -> None:
        """Buy what waiting orders lack together: to look again and again also sees goods that went to another order."""
        with Engine.open(database) as engine:
            while not bell.rung:
                lacking = Counter[str]()
                for waiting in engine.orders(waiting=True, limit=1000):
                    lacking.update({line.sku: line.open for line in engine.order(waiting.id).lines})
                for level in engine.stock():
                    lacking[level.sku] -= level.available
                for sku, units in (+lacking).items():
                    engine.receive("NYC", sku, units, by="/inventory/buying", role="system")
                rest(bell, 0.2)

    return serve(
        buying,
        consuming(database, f"{broker}/{ORDERS}"),
        consuming(database, f"{broker}/{DESK}"),
        working(database, "sourcing", "restock"),
        relaying(database, f"{broker}/{INVENTORY}"),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

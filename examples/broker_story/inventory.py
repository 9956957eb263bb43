"""The inventory service: has the goods, ties the best of them to each order, and decides what can be cancelled.

`python inventory.py FOLDER BROKER`
"""

from __future__ import annotations

import sys
from pathlib import Path

from parts import DESK, INVENTORY, ORDERS, consuming, relaying, serve, working


def main(folder: Path, broker: str) -> int:
    """Everything that the service does, until it is told to stop."""
    database = folder / "inventory.db"
    return serve(
        consuming(database, f"{broker}/{ORDERS}"),
        consuming(database, f"{broker}/{DESK}"),
        working(database, "sourcing", "restock"),
        relaying(database, f"{broker}/{INVENTORY}"),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

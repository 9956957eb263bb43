"""Notification: tells the customer what happened, once. What it has told is in a little database of its own.

`python notification.py FOLDER BROKER`
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from parts import INVENTORY, ORDERS, echo, listening, serve

from orderstate.events.waking import Bell

WORDS = {
    "OrderPlaced": "we have received your order",
    "OrderBackordered": "we are out of stock, and more is on its way",
    "InventoryTied": "your order was accepted",
    "ShippingStarted": "your order is on its way",
    "OrderDelivered": "your order has arrived",
    "OrderCancelled": "your order was cancelled",
}


def main(folder: Path, broker: str) -> int:
    """Everything that the service does, until it is told to stop."""

    def told(stream: str, bell: Bell) -> None:
        with closing(sqlite3.connect(folder / "notices.db", timeout=30)) as notices:
            notices.execute(
                "CREATE TABLE IF NOT EXISTS notice"
                " (source TEXT, id TEXT, customer TEXT, words TEXT, PRIMARY KEY (source, id))"
            )

            def hear(event: dict[str, Any]) -> None:
                words = WORDS.get(event["type"])
                if words is None or echo(event):
                    return
                with notices:  # the notice and the memory that it was given are one row
                    notices.execute(
                        "INSERT OR IGNORE INTO notice VALUES (?, ?, ?, ?)",
                        (event["source"], event["id"], event["subject"], words),
                    )

            listening(f"{broker}/{stream}", "notification", hear)(bell)

    return serve(lambda bell: told(ORDERS, bell), lambda bell: told(INVENTORY, bell))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

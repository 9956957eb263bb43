"""Fulfilment: hears that inventory is tied, starts shipping, and brings the goods.

It has no database. What it hears twice it says twice, under the same id, and the inventory service acts once.

`python fulfilment.py BROKER`
"""

from __future__ import annotations

import sys
from typing import Any

from parts import DESK, INVENTORY, echo, listening, send, serve

from orderstate.events.brokers import sink
from orderstate.events.waking import Bell

ME = "/fulfilment"


def main(broker: str) -> int:
    """Everything that the service does, until it is told to stop."""
    desk = sink(f"{broker}/{DESK}")

    def hear(event: dict[str, Any], bell: Bell) -> None:
        order, number = str(event.get("subject")), event.get("sequence")
        if echo(event):
            return
        if event["type"] == "InventoryTied":
            send(desk, bell, ME, f"shipped-{order}-{number}", "ShippingStarted", order, {})
        elif event["type"] == "ShippingStarted":
            send(desk, bell, ME, f"delivered-{order}", "ShipmentDelivered", order, {})

    try:
        return serve(
            lambda bell: listening(f"{broker}/{INVENTORY}", "fulfilment", lambda event: hear(event, bell))(bell)
        )
    finally:
        desk.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

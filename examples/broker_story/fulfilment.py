"""Fulfilment: hears that inventory is tied and starts shipping, brings the goods, and fetches what is short.

It has no database. What it hears twice it says twice, under the same id, and the inventory service acts once.

`python fulfilment.py BROKER`
"""

from __future__ import annotations

import sys
from typing import Any

from parts import DESK, INVENTORY, echo, listening, send, serve

from orderstate.events.brokers import sink

ME = "/fulfilment"


def main(broker: str) -> int:
    """Everything that the service does, until it is told to stop."""
    desk = sink(f"{broker}/{DESK}")

    def hear(event: dict[str, Any]) -> None:
        order, number = str(event.get("subject")), event.get("sequence")
        if echo(event):
            return
        if event["type"] == "InventoryTied":
            send(desk, ME, f"shipped-{order}-{number}", "ShippingStarted", order, {})
        elif event["type"] == "ShippingStarted":
            send(desk, ME, f"delivered-{order}", "ShipmentDelivered", order, {})
        elif event["type"] == "OrderBackordered":
            for sku, units in event["data"]["short"].items():
                goods = {"facility": "NYC", "sku": sku, "quantity": units}
                send(desk, ME, f"bought-{order}-{number}-{sku}", "StockReceived", "facility/NYC", goods)

    try:
        return serve(listening(f"{broker}/{INVENTORY}", "fulfilment", hear))
    finally:
        desk.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

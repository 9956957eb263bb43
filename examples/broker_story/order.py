"""The order service: takes orders, says so, and follows what becomes of them. Its database holds no stock.

`python order.py FOLDER BROKER ORDERS`
"""

from __future__ import annotations

import sys
from pathlib import Path

from parts import ARTICLES, DESK, INVENTORY, ORDERS, consuming, relaying, rest, send, serve

from orderstate import Engine
from orderstate.events.brokers import sink
from orderstate.events.waking import Bell

PLACES = ("US@39.74,-104.99", "US@40.71,-74.01", "US@34.05,-118.24", "DE@52.52,13.4")


def main(folder: Path, broker: str, orders: int) -> int:
    """Everything that the service does, until it is told to stop."""
    database = folder / "order.db"

    def customers(bell: Bell) -> None:
        """Place the orders. Each has a key: whoever dies here begins again, and places none twice."""
        with Engine.open(database) as engine:
            for number in range(orders):
                if bell.rung:
                    return
                lines = {ARTICLES[number % 3]: 1 + number % 2, ARTICLES[(number + 1) % 3]: 1}
                order = f"web-{number + 1}"
                engine.place(lines, PLACES[number % 4], id=order, key=order, role="customer")

    def second_thoughts(bell: Bell) -> None:
        """Every seventh customer wants to cancel once the order was accepted, and whoever has the goods decides."""
        waiting = {f"web-{number}" for number in range(7, orders + 1, 7)}
        with Engine.open(database) as engine, sink(f"{broker}/{DESK}") as desk:
            while waiting and not bell.rung:
                accepted = {one.id for one in engine.orders(limit=100_000) if one.state != "pending"}
                for order in sorted(waiting & accepted):
                    send(
                        desk, bell, "/customers", f"cancel-{order}", "CancelOrder", order, {"reason": "second thoughts"}
                    )
                    waiting.discard(order)
                rest(bell, 0.05)

    return serve(
        customers,
        second_thoughts,
        relaying(database, f"{broker}/{ORDERS}"),
        consuming(database, f"{broker}/{INVENTORY}"),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

"""The story of an order, told in Python; story.scenario.yaml tells the same. Run it: `python examples/story.py`.

A customer places an order, and nothing is reserved yet. Inventory hears of it and ties the best stock: what is
domestic comes from the closest facility, what goes abroad from the one that is closest to an airport, and primary
locations go before back stock. From shipping on the order cannot be cancelled. Whoever listens may hear a thing twice,
and acts once.
"""

from __future__ import annotations

from orderstate.events.working import Worker
from orderstate.testing import world

FACILITIES = {"DENVER": "US@39.86,-104.67", "NEWARK": "US@40.69,-74.17"}
STOCK = {"DENVER": {"MUG": {"primary": 1, "back": 10}}, "NEWARK": {"MUG": 5}}


def tell() -> list[str]:
    """The story; every sentence of it is checked on the way."""
    said: list[str] = []
    with world(facilities=FACILITIES, stock=STOCK, settings={"strategy": "nearest"}) as shop:
        home = shop.place({"MUG": 2}, "US@39.74,-104.99", key="web-1")
        again = shop.place({"MUG": 2}, "US@39.74,-104.99", key="web-1")
        assert again == home, "a key makes a command safe to repeat"
        assert shop.engine.show(home).allocations == (), "nothing is reserved yet"
        said.append(f"{home} is {shop.state(home)}")

        inventory = Worker(shop.engine, ["sourcing"])
        assert inventory.drain() == 1, "inventory hears of the order once"
        assert inventory.drain() == 0
        tied = [(a.facility, a.pool, a.units) for a in shop.engine.show(home).allocations]
        assert tied == [("DENVER", "back", 1), ("DENVER", "primary", 1)], "the closest facility, primary before back"
        said.append(f"{home} is {shop.state(home)}: from DENVER")

        abroad = shop.place({"MUG": 1}, "FR")
        plan = shop.engine.plan(abroad).plan
        assert plan.facilities == ("NEWARK",), "the facility that is closest to an airport"
        shop.tie(abroad)
        gateway = next(standing.gateway for standing in plan.standings if standing.facility == "NEWARK")
        said.append(f"{abroad} is {shop.state(abroad)}: from NEWARK, through {gateway}")
        shop.cancel(abroad)
        said.append(f"{abroad} is {shop.state(abroad)}")

        shop.ship(home)
        refused = shop.refused("cancel", home, "goods_still_here", "canceller_may", role="customer")
        said.append(f"{home} is {shop.state(home)}; {refused.blocked[0].sentence}")
        shop.deliver(home)
        assert not shop.deliver(home).changed, "to be asked for what is done already changes nothing"
        assert shop.events(home) == ["OrderPlaced", "InventoryTied", "ShippingStarted", "OrderDelivered"]
        said.append(f"{home} is {shop.state(home)}")
    return said


if __name__ == "__main__":
    print("\n".join(tell()))

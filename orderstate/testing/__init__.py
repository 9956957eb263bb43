"""For the tests of those who build on orderstate: a shop in three lines, laws for strategies, scenarios under pytest.

    from orderstate.testing import world

    def test_a_cancel_comes_too_late():
        with world(facilities={"DENVER": "US@39.86,-104.67"}, stock={"DENVER": {"MUG": 10}}) as shop:
            order = shop.place({"MUG": 2}, "US@39.74,-104.99")
            shop.tie(order)
            shop.ship(order)
            shop.refused("cancel", order, "goods_still_here", "canceller_may")
            assert shop.state(order) == "shipping"

    from orderstate.testing import broken_laws

    def test_my_strategy_keeps_the_laws():
        assert broken_laws(my_strategy) == []

Installed beside pytest, orderstate also collects `*.scenario.yaml` files: plugin.py. Names are loaded when they are
first asked for, so that pytest starts as fast as without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderstate.lazily import named

if TYPE_CHECKING:
    from orderstate.testing.laws import broken_laws
    from orderstate.testing.shop import Shop, world

_HOME = {"Shop": "shop", "broken_laws": "laws", "world": "shop"}

__all__ = ["Shop", "broken_laws", "world"]


__getattr__, __dir__ = named(__name__, _HOME)

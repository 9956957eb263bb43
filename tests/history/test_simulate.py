"""simulate: every order on what the ones before it left, the same whatever the number of workers."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import SHARED, SHOP, orders_file

from orderstate.allocation import Problem
from orderstate.errors import InvalidInput, NotFound, OrderstateError, PlanRejected
from orderstate.history.network import BadRows
from orderstate.history.simulate import Addition, Simulation, simulate, write_csv
from orderstate.history.simulating.figures import Money
from orderstate.model import Allocation, Plan
from orderstate.render import simulation as render
from orderstate.render.tables import draw
from orderstate.settings import DEFAULT_COSTS

ROOT = Path(__file__).parents[2]
FACILITIES = """code,country,at,name,gateway,priority
ATL,US,"33.75,-84.39",Atlanta,,10
DEN,US,"39.74,-104.99",Denver,,20
SEA,US,"47.61,-122.33",Seattle,,30
"""
STOCK = """facility,sku,on_hand,pool,grams
ATL,MUG,10,primary,500
DEN,MUG,15,primary,500
DEN,CUP,4,back,200
SEA,CUP,9,primary,200
"""
ORDERS = (
    "1,2024-01-01,MUG,13,c1,US",
    "2,2024-01-02,CUP,6,c2,US",
    "2,2024-01-02,MUG,2,c2,US",
    "3,2024-01-03,MUG,20,c3,US",
    "4,2024-01-04,MUG,3,c4,CA",
    "C5,2024-01-05,MUG,-3,c4,CA",
)


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Simulation]:
    """Simulate the little shop; `orders`, `facilities` and `stock` replace its files."""
    (tmp_path / "facilities.csv").write_text(FACILITIES)
    (tmp_path / "stock.csv").write_text(STOCK)
    file = orders_file(tmp_path, *ORDERS)

    def run(**given: Any) -> Simulation:
        given.setdefault("facilities", tmp_path / "facilities.csv")
        given.setdefault("stock", tmp_path / "stock.csv")
        given.setdefault("workers", 1)
        return simulate(given.pop("orders", file), mapping=SHOP, **given)

    return run


def raises(problem: Problem) -> Plan:
    """A strategy that breaks down."""
    raise RuntimeError("no idea")


def lies(problem: Problem) -> Plan:
    """A strategy that takes what is not there."""
    return Plan("lies", (Allocation("ATL", problem.skus[0], "primary", 10_000),), {}, ())


def dies(problem: Problem) -> Plan:
    """A strategy that takes its process with it."""
    os._exit(3)


def test_orders_take_from_each_other_in_time_order_and_one_that_is_short_waits_whole(
    shop: Callable[..., Simulation],
) -> None:
    found = shop(strategies=["nearest"])
    (outcome,) = found.outcomes
    assert (found.orders, found.units, found.cancellations) == (4, 44, 1)
    # 25 mugs: 13, 2, then 20 are not there any more, so 10 stay and the last order has its 3.
    assert (outcome.filled_orders, outcome.filled_units) == (3, 24)
    assert (outcome.short_orders, outcome.short_units) == (1, 10)
    assert sum(load.units for load in outcome.loads) == 24
    assert sum(flow.units for flow in outcome.flows) == 24
    assert sum(outcome.orders_by_shipments.values()) == outcome.shipped_orders == 3
    assert outcome.shipments == sum(load.shipments for load in outcome.loads)


def test_later_orders_come_later_even_when_the_file_says_otherwise(
    shop: Callable[..., Simulation], tmp_path: Path
) -> None:
    turned = orders_file(tmp_path, *reversed(ORDERS), name="turned.csv")
    assert shop(orders=turned).outcomes == shop().outcomes


def test_split_ships_what_there_is_and_the_rest_waits(shop: Callable[..., Simulation]) -> None:
    (outcome,) = shop(strategies=["nearest"], settings={"short": "split"}).outcomes
    # The third order takes the 10 mugs that are left, so the fourth gets none.
    assert (outcome.filled_orders, outcome.shipped_orders, outcome.filled_units) == (2, 3, 31)
    assert (outcome.short_orders, outcome.short_units) == (2, 13)


def test_the_parts_of_a_cost_are_what_the_settings_say(shop: Callable[..., Simulation]) -> None:
    (outcome,) = shop(strategies=["cheapest"]).outcomes
    costs, parts = DEFAULT_COSTS, outcome.parts
    assert sum(parts.values()) == outcome.cost
    assert parts["handling"] == costs.handling * outcome.shipments
    assert parts["carrier_base"] == costs.carrier_base * outcome.shipments
    assert parts["split_penalty"] == costs.split_penalty * (outcome.shipments - outcome.shipped_orders)
    assert parts["export_fee"] == costs.export_fee * sum(f.shipments for f in outcome.flows if f.gateway)
    assert parts["distance"] == sum(load.metres for load in outcome.loads) * costs.per_km // 1000
    grams = 500 * 18 + 200 * 6
    assert parts["weight"] >= grams * costs.rate_per_kg // 1000
    assert "backorder" not in parts


def test_a_declared_price_of_backordering_is_part_of_the_cost(shop: Callable[..., Simulation]) -> None:
    (outcome,) = shop(strategies=["cheapest"], settings={"cost.backorder": "1000000"}).outcomes
    assert outcome.parts["backorder"] == 1_000_000_000 * (outcome.units - outcome.filled_units)
    assert sum(outcome.parts.values()) == outcome.cost


def test_no_strategy_is_cheaper_on_one_order_than_cheapest(shop: Callable[..., Simulation], tmp_path: Path) -> None:
    alone = orders_file(tmp_path, *ORDERS[1:3], name="alone.csv")
    found = shop(orders=alone, strategies=["nearest", "cheapest", "fewest-shipments", "priority"])
    assert found.outcome("cheapest").common_cost == min(o.common_cost for o in found.outcomes)
    assert found.outcome("cheapest").proven_rate == 1.0
    assert found.outcome("nearest").proven_rate is None


def test_the_result_is_the_same_for_every_number_of_workers(shop: Callable[..., Simulation]) -> None:
    given: dict[str, Any] = {"without": ["DEN"], "strategies": ["nearest", "cheapest"]}
    one, two = shop(workers=1, **given), shop(workers=2, **given)
    assert one == two
    assert json.dumps(one.document()) == json.dumps(two.document())
    assert [(o.scenario, o.strategy) for o in two.outcomes] == [
        ("base", "nearest"),
        ("base", "cheapest"),
        ("without DEN", "nearest"),
        ("without DEN", "cheapest"),
    ]
    assert (one.timing.workers, two.timing.workers) == (1, 2)


def test_a_closed_facility_ships_nothing_and_its_stock_stays_or_moves(shop: Callable[..., Simulation]) -> None:
    stays = shop(without=["DEN"], strategies=["nearest"]).outcome("nearest", "without DEN")
    moves = shop(without=["DEN"], strategies=["nearest"], move_stock=True).outcome("nearest", "without DEN")
    base = shop(strategies=["nearest"]).outcome("nearest")
    for outcome in (stays, moves):
        assert next(load for load in outcome.loads if load.facility == "DEN").units == 0
    assert stays.filled_units < base.filled_units
    # Seattle is nearer to Denver than Atlanta is.
    assert {load.facility: load.stock for load in moves.loads} == {"ATL": 10, "DEN": 0, "SEA": 28}
    assert moves.filled_units == base.filled_units


def test_several_facilities_close_together_and_the_kept_orders_are_compared(shop: Callable[..., Simulation]) -> None:
    found = shop(without=["SEA,ATL"], strategies=["nearest"])
    outcome = found.outcome("nearest", "without ATL, SEA")
    base = found.outcome("nearest")
    assert found.scenarios[1].closed == ("ATL", "SEA")
    assert outcome.kept_orders <= min(base.filled_orders, outcome.filled_orders)
    assert base.cost_change == 0.0
    assert base.kept_orders == base.filled_orders


def test_added_facilities_and_stock_make_a_scenario(shop: Callable[..., Simulation], tmp_path: Path) -> None:
    more, goods = tmp_path / "more.csv", tmp_path / "goods.csv"
    more.write_text('code,country,at\nTOR,CA,"43.68,-79.61"\n')
    goods.write_text("facility,sku,on_hand\nTOR,MUG,50\n")
    found = shop(additions=[Addition(more, goods)], strategies=["nearest"])
    outcome = found.outcome("nearest", "with more.csv + goods.csv")
    assert found.scenarios[1].added == ("TOR",)
    assert outcome.filled_orders == 4
    assert [f.code for f in found.facilities] == ["ATL", "DEN", "SEA", "TOR"]


def test_stock_that_is_not_for_sale_is_not_sold(shop: Callable[..., Simulation], tmp_path: Path) -> None:
    safe = tmp_path / "safe.csv"
    safe.write_text("facility,sku,on_hand,safety\nATL,MUG,10,4\nDEN,MUG,3,5\n")
    (outcome,) = shop(stock=safe, strategies=["nearest"]).outcomes
    assert {load.facility: load.stock for load in outcome.loads} == {"ATL": 6, "DEN": 0, "SEA": 0}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"without": ["DEM"]}, NotFound, "unknown facility 'DEM'"),
        ({"strategies": ["nearst"]}, NotFound, "unknown strategy"),
        ({"strategies": []}, InvalidInput, "strategy is missing"),
        ({"settings": {"cost.per_mile": "1"}}, NotFound, "unknown setting"),
        ({"settings": {"strategy": "nearest"}}, InvalidInput, "set: 'strategy=nearest'"),
        ({"settings": {"cost.per_km": "-1"}}, InvalidInput, "cost.per_km"),
        ({"workers": 0}, InvalidInput, "workers"),
        ({"bad": "some"}, InvalidInput, "bad"),
        ({"without": ["ATL,DEN", "DEN,ATL"]}, InvalidInput, "named once"),
        ({"additions": [Addition()]}, InvalidInput, "with"),
        ({"stock": "nowhere.csv"}, NotFound, "no file nowhere.csv"),
    ],
)
def test_a_wrong_option_is_one_clear_error(
    shop: Callable[..., Simulation], given: dict[str, Any], error: type[OrderstateError], says: str
) -> None:
    with pytest.raises(error) as raised:
        shop(**given)
    assert says in raised.value.sentence


def test_stock_of_an_unknown_facility_names_its_row(shop: Callable[..., Simulation], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("facility,sku,on_hand\nATL,MUG,1\nDET,MUG,1\n")
    with pytest.raises(BadRows) as raised:
        shop(stock=wrong)
    assert "nothing was simulated" in raised.value.sentence
    assert "row 3, column facility: 'DET'" in raised.value.blocked[0].sentence


def test_a_file_without_orders_says_why_there_are_none(shop: Callable[..., Simulation], tmp_path: Path) -> None:
    none = orders_file(tmp_path, "1,2024-01-01,POST,1,c1,US", name="none.csv")
    with pytest.raises(InvalidInput) as raised:
        shop(orders=none)
    assert raised.value.hint is not None
    assert "1 left out: not goods" in raised.value.hint


def test_one_bad_row_refuses_the_orders_unless_the_good_ones_are_kept(
    shop: Callable[..., Simulation], tmp_path: Path
) -> None:
    mixed = orders_file(tmp_path, *ORDERS, "9,yesterday,MUG,1,c1,US", name="mixed.csv")
    with pytest.raises(InvalidInput, match="row 8, column Date"):
        shop(orders=mixed)
    assert shop(orders=mixed, bad="keep").bad == 1


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("name", "says"), [("raises", "RuntimeError: no idea"), ("lies", "takes 10000 units of MUG")])
def test_a_strategy_that_fails_is_named_with_its_order(
    shop: Callable[..., Simulation], workers: int, name: str, says: str
) -> None:
    with pytest.raises(PlanRejected) as raised:
        shop(strategies=["nearest", f"test_simulate:{name}"], workers=workers)
    assert raised.value.sentence.startswith(f"order 1, test_simulate:{name} in base: ")
    assert says in raised.value.sentence
    assert raised.value.exit_status == 1


def test_a_worker_that_is_lost_is_one_clear_error(shop: Callable[..., Simulation]) -> None:
    with pytest.raises(OrderstateError) as raised:
        shop(strategies=["nearest", "test_simulate:dies"], workers=2)
    assert raised.value.code == "worker_lost"
    assert "exit status 3" in raised.value.sentence


def test_progress_counts_to_every_order_of_every_pair(shop: Callable[..., Simulation]) -> None:
    heard: list[tuple[int, int | None]] = []
    shop(strategies=["nearest", "priority"], progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (8, 8)
    assert any(total is None for _, total in heard)


def test_ctrl_c_leaves_no_process_and_no_temporary_folder(tmp_path: Path) -> None:
    (tmp_path / "facilities.csv").write_text(FACILITIES)
    (tmp_path / "stock.csv").write_text("facility,sku,on_hand\nATL,MUG,100000000\n")
    lines = [f"{n},2024-01-01,MUG,1,c,US" for n in range(1, 60_001)]
    orders = orders_file(tmp_path, *lines)
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from histories import SHOP\n"
        "from orderstate.history.simulate import simulate\n"
        "def told(done, total):\n"
        "    if total: print('playing', flush=True)\n"
        "if __name__ == '__main__':\n"
        f"    simulate({str(orders)!r}, facilities={str(tmp_path / 'facilities.csv')!r},\n"
        f"        stock={str(tmp_path / 'stock.csv')!r}, mapping=SHOP, workers=2, progress=told)\n"
    )
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "playing\n"
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert said.count("KeyboardInterrupt") == 1, said
    assert list(folder.iterdir()) == []
    # multiprocessing's own resource tracker ends with the pipe that its parent held: soon, but not at once.
    until = time.monotonic() + 30
    while _group_lives(process.pid):
        assert time.monotonic() < until


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_csv_has_a_row_for_each_outcome(shop: Callable[..., Simulation], tmp_path: Path) -> None:
    found, file = shop(without=["DEN"]), tmp_path / "out.csv"
    write_csv(found, file)
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [(row["scenario"], row["strategy"]) for row in rows] == [(o.scenario, o.strategy) for o in found.outcomes]
    assert [int(row["cost"]) for row in rows] == [o.cost for o in found.outcomes]
    assert sum(int(v) for k, v in rows[0].items() if k.startswith("cost_") and k[5:] in found.outcomes[0].parts) == int(
        rows[0]["cost"]
    )


def test_a_result_can_be_kept_and_loaded(shop: Callable[..., Simulation]) -> None:
    found = shop()
    assert pickle.loads(pickle.dumps(found)) == found


def test_tables_fit_eighty_columns_and_programs_get_every_value(shop: Callable[..., Simulation]) -> None:
    for given in ({}, {"without": ["DEN"]}):
        document = shop(**given).document()
        for table in render.tables(document):
            out = io.StringIO()
            draw(table.columns, table.rows, out, 80)
            lines = out.getvalue().splitlines()
            assert max(map(len, lines)) <= 80
            assert all(column.name in lines[0] for column in table.columns if not column.optional)
        outcomes, loads = render.exact_tables(document)
        assert len(outcomes.rows) == len(document["outcomes"])
        assert len(loads.rows) == sum(len(o["loads"]) for o in document["outcomes"])
        assert dict(render.exact_facts(document))["orders"] == "4"
        assert ("orders", "4 of 44 units, 2024-01-01 to 2024-01-04") in list(render.facts(document))


def test_timing_is_told_apart_from_the_result(shop: Callable[..., Simulation]) -> None:
    found = shop(strategies=["nearest"])
    assert "timing" not in found.document()
    assert render.timing(found.timing.document())[0].startswith("planned 4 orders in ")


@pytest.mark.parametrize(
    ("currency", "each", "unit"), [("GBP", "12.35", "GBP"), ("JPY", "1,235", "JPY"), ("", "1,234.6", "minor units")]
)
def test_money_is_told_in_the_unit_of_its_currency(currency: str, each: str, unit: str) -> None:
    money = Money(currency)
    assert (money.each(1_234_567), money.unit) == (each, unit)


@pytest.mark.heavy
@pytest.mark.skipif(not SHARED.exists(), reason="shared/data/online_retail is not here")
def test_online_retail_is_played_whole(tmp_path: Path) -> None:
    shop = ROOT / "examples" / "online_retail"
    stock = tmp_path / "stock.csv"
    with stock.open("wb") as out:
        subprocess.run([sys.executable, str(shop / "make_stock.py"), str(SHARED)], stdout=out, check=True)
    found = simulate(SHARED, facilities=shop / "facilities.csv", stock=stock, workers=2)
    nearest, cheapest, fewest = found.outcomes
    assert found.orders == 20_538
    assert len({o.filled_units for o in found.outcomes}) == 1
    assert cheapest.proven_rate is not None
    assert cheapest.proven_rate > 0.99
    assert cheapest.cost < nearest.cost
    assert fewest.shipments < nearest.shipments

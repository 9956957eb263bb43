"""The real file: a fiftieth of its customers in every run, the whole of it among the heavy tests; and the example."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from histories import SHARED, content, states
from worlds import HOUR, World, check_database, rows

from orderstate import Engine
from orderstate.history import OrderMapping, Reader, Summary, import_orders
from orderstate.history.network import import_facilities, import_stock

EXAMPLE = Path(__file__).parents[2] / "examples" / "online_retail"
SEED = 2011

needs_file = pytest.mark.skipif(not SHARED.is_file(), reason="shared/data/online_retail is not beside the project")


@pytest.fixture(scope="module")
def make_stock() -> ModuleType:
    """The example's script, as a module."""
    made = ModuleType("make_stock")
    exec(compile((EXAMPLE / "make_stock.py").read_text(encoding="utf-8"), "make_stock.py", "exec"), made.__dict__)
    return made


@pytest.fixture(scope="module")
def slice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 2 % of the file: every fiftieth customer with all that they ordered and cancelled, and invoices without."""
    path = tmp_path_factory.mktemp("slice") / "slice.csv"
    with gzip.open(SHARED, "rt", encoding="utf-8", newline="") as whole, path.open("w", encoding="utf-8") as part:
        reader, writer = csv.reader(whole), csv.writer(part)
        writer.writerow(next(reader))
        writer.writerows(row for row in reader if int(row[6] or row[0].lstrip("AC")) % 50 == 7)
    return path


def stocked(database: Path, make_stock: ModuleType, ordered: Counter[str]) -> None:
    """The example's network, with stock for what is ordered."""
    stock = database.with_name("stock.csv")
    with stock.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("facility", "sku", "pool", "on_hand"), *make_stock.stock(ordered, SEED)])
    with Engine.open(database) as engine:
        assert import_facilities(engine, EXAMPLE / "facilities.csv").kept == 8
        assert import_stock(engine, stock).bad == 0


def adds_up(done: Summary, database: Path) -> None:
    """Everything in a replay's summary that must add up does, with itself and with the database."""
    assert done.orders == done.placed + done.repeated + sum(done.refused.values())
    assert sum(done.states.values()) == done.placed + done.repeated + done.children
    assert {s: n for s, n in done.states.items() if n} == Counter(states(database).values())
    assert done.states["backordered"] <= done.backordered
    assert done.states["pending"] == done.states["inventory_tied"] == 0
    (tied,) = rows(database, "SELECT sum(allocated) FROM movement WHERE kind = 'allocated'")
    assert done.units_tied == tied[0]
    (ordered,) = rows(database, "SELECT sum(quantity) FROM order_line")
    assert done.units_ordered == ordered[0]


@needs_file
@pytest.mark.parametrize("short", ["backorder", "split"])
def test_a_slice_of_the_real_file_plays_and_adds_up(
    database: Path, make_stock: ModuleType, slice_file: Path, short: str
) -> None:
    stocked(database, make_stock, make_stock.demand(slice_file))
    taken_back = sum(row.units for row in Reader(slice_file, OrderMapping.load("online-retail")) if row.cancels)
    with Engine.open(database) as engine:
        engine.configure("short", short)
        done = import_orders(engine, slice_file, replay=True, deliver_after=72 * HOUR)
        before = content(database)
        again = import_orders(engine, slice_file, replay=True, deliver_after=72 * HOUR)
        with engine.store.read() as tx:
            assert tx.execute(tx.sql.check_ledger).fetchall() == []
            assert tx.execute(tx.sql.check_oversold).fetchall() == []
    assert content(database) == before
    assert replace(again, seconds=0.0) == replace(done, seconds=0.0, placed=0, repeated=done.placed)
    assert (done.bad, done.refused, done.placed) == (0, {}, done.orders)
    assert done.orders > 300
    assert min(done.backordered, done.several_facilities, done.units_cancelled, done.units_shipped_before) > 0
    assert done.units_cancelled + done.units_shipped_before + done.units_unmatched == taken_back
    assert (done.children > 0) is (short == "split")
    adds_up(done, database)
    check_database(database)


@needs_file
@pytest.mark.heavy
def test_the_rules_of_the_built_in_mapping_give_the_documented_figures() -> None:
    mapping = OrderMapping.load("online-retail")
    everything = replace(mapping, leave_out=mapping.leave_out[:1])
    for rules, orders, cancellations in ((mapping, 20_538, 3_422), (everything, 20_728, 3_836)):
        numbers: tuple[set[str], set[str]] = set(), set()
        reader = Reader(SHARED, rules)
        for row in reader:
            numbers[row.cancels].add(row.order)
        assert (len(numbers[0]), len(numbers[1]), reader.rows, reader.bad) == (orders, cancellations, 541_909, 0)


_WHOLE = """
import json, sys
from orderstate import Engine
from orderstate.history import import_orders
with Engine.open(sys.argv[1]) as engine:
    done = import_orders(engine, sys.argv[2], mapping="online-retail", replay=True)
    with engine.store.read() as tx:
        differing = len(tx.execute(tx.sql.check_ledger).fetchall()) + len(tx.execute(tx.sql.check_oversold).fetchall())
# not ru_maxrss: on Linux that begins with what the process that forked this one held
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps({"done": done.document(), "differing": differing, "peak": peak}))
"""


@needs_file
@pytest.mark.heavy
def test_the_whole_real_file_reaches_its_states_in_little_memory(database: Path, make_stock: ModuleType) -> None:
    stocked(database, make_stock, make_stock.demand(SHARED))
    ran = subprocess.run([sys.executable, "-c", _WHOLE, database, SHARED], check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    peak, done = told["peak"], told["done"]
    del done["rate"]
    summary = Summary(**done)
    assert told["differing"] == 0
    assert peak < 300, "megabytes"
    assert (summary.rows, summary.invoices, summary.bad) == (541_909, 25_900, 0)
    assert summary.left_out == {"adjustment of stock": 1_336, "bad debt": 3, "not goods": 2_947}
    assert (summary.orders, summary.placed, summary.cancellations) == (20_538, 20_538, 3_422)
    assert summary.units_cancelled + summary.units_shipped_before + summary.units_unmatched == 272_030
    adds_up(summary, database)
    check_database(database)


def test_the_example_knows_the_towns_that_the_mapping_uses() -> None:
    towns = list(csv.DictReader((EXAMPLE / "towns.csv").read_text(encoding="utf-8").splitlines()))
    assert len({town["town"] for town in towns}) == 40
    table = OrderMapping.load("online-retail").towns
    assert table is not None
    assert [f"GB@{float(t['latitude']):.10g},{float(t['longitude']):.10g}" for t in towns] == list(table.destinations)


def test_the_made_stock_is_the_same_for_a_seed_and_scarce(make_stock: ModuleType) -> None:
    ordered = Counter({f"SKU{n}": n * n for n in range(1, 400)})
    made = list(make_stock.stock(ordered, SEED))
    assert made == list(make_stock.stock(Counter(dict(reversed(ordered.items()))), SEED))
    assert made != list(make_stock.stock(ordered, SEED + 1))
    assert {sku for _, sku, _, _ in made} == set(ordered)
    assert min(units for *_, units in made) >= 1
    assert 0.90 < sum(units for *_, units in made) / ordered.total() < 0.95
    pools: Counter[tuple[str, str]] = Counter()
    for facility, _, pool, units in made:
        pools[facility, pool] += units
    assert len({facility for facility, _ in pools}) == 8
    assert pools["DAV", "back"] > pools["DAV", "primary"]
    assert pools["THU", "primary"] > pools["THU", "back"]


def test_every_facility_of_the_example_weighs_something(world: World, make_stock: ModuleType) -> None:
    import_facilities(world.engine, EXAMPLE / "facilities.csv")
    facilities = world.engine.facilities()
    assert {f.code for f in facilities} == set(make_stock.WEIGHTS)
    assert all(f.country == "GB" and f.latitude is not None for f in facilities)

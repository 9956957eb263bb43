"""simulate: orders a second for each strategy, and peak memory, on Online Retail.

    python -m bench.simulate [--quick] [--workers N]

Plays the usable orders of the shared file over the network of examples/online_retail with the stock that its
make_stock.py makes; `--quick` plays the first 20,000 rows of the file. Each strategy runs in a process of its own, so
that its peak memory is its own, and all together once more on every worker.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from bench.report import Table, machine
from orderstate.history.simulate import STRATEGIES, simulate

ROOT = Path(__file__).parents[1]
ORDERS = ROOT / ".." / "shared" / "data" / "online_retail" / "online_retail.csv.gz"
SHOP = ROOT / "examples" / "online_retail"
QUICK_ROWS = 20_000


def measured(orders: Path, stock: Path, strategies: tuple[str, ...], workers: int) -> dict[str, Any]:
    """One run in a process of its own: its timing, its outcomes, and the peaks of it and of its workers in MB."""
    command = [sys.executable, "-m", "bench.simulate", "--child", str(orders), str(stock), str(workers), *strategies]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def child(orders: str, stock: str, workers: str, *strategies: str) -> None:
    """What `measured` starts."""
    found = simulate(
        orders, facilities=SHOP / "facilities.csv", stock=stock, strategies=strategies, workers=int(workers)
    )
    # Linux tells kilobytes, macOS bytes.
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    peaks = [resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({**found.document(), "timing": found.timing.document(), "peaks": peaks}))


def run(*, quick: bool, workers: int) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        orders, stock = ORDERS, Path(name) / "stock.csv"
        if quick:
            orders = Path(name) / "orders.csv"
            with gzip.open(ORDERS, "rt", encoding="utf-8", newline="") as file, orders.open("w", newline="") as out:
                out.writelines(islice(file, QUICK_ROWS + 1))
        with stock.open("wb") as out_bytes:
            subprocess.run([sys.executable, str(SHOP / "make_stock.py"), str(orders)], stdout=out_bytes, check=True)
        print(f"simulating on {machine()}\n")
        table = Table(
            "one strategy, one process",
            ("strategy", "orders", "orders/s", "median ms", "95th ms", "peak MB", "cost/order", "shipments", "proven"),
        )
        for strategy in STRATEGIES:
            found = measured(orders, stock, (strategy,), 1)
            (outcome,), timing = found["outcomes"], found["timing"]
            (pair,), proven = timing["pairs"], outcome["proven_rate"]
            table.add(
                strategy,
                f"{found['orders']:,}",
                f"{timing['rate']:,.0f}",
                f"{pair['median_us'] / 1000:.2f}",
                f"{pair['p95_us'] / 1000:.2f}",
                f"{found['peaks'][0]:.0f}",
                f"{outcome['cost_per_order'] / 1000:,.1f}",
                f"{outcome['shipments_per_order']:.2f}",
                "" if proven is None else f"{100 * proven:.1f} %",
            )
        table.notes.append("orders/s: planning alone; cost/order in minor units; the budget of memory is 300 MB")
        table.print()
        found = measured(orders, stock, STRATEGIES, workers)
        timing, (own, theirs) = found["timing"], found["peaks"]
        print(
            f"all three on {timing['workers']} workers: {timing['rate']:,.0f} orders planned a second, "
            f"{timing['seconds']:.1f} s with reading; peak {own:.0f} MB, largest worker {theirs:.0f} MB"
        )


def main() -> int:
    """The command line."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description="Measure simulate.")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_ROWS} rows only, for CI")
    parser.add_argument("--workers", type=int, default=2, help="processes of the last run (default: 2)")
    given = parser.parse_args()
    if not ORDERS.exists():
        print(f"left out: {ORDERS.name} is not there")
        return 0
    run(quick=given.quick, workers=given.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())

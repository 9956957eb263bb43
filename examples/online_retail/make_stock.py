"""Make stock for the network beside this file from the codes of Online Retail: the same numbers for the same seed.

    python make_stock.py online_retail.csv.gz > stock.csv

For each SKU some 93 % of all the units that the file orders, dealt out over a few of the facilities, more to the larger
ones, and in each over its primary and its back pool. So most orders are covered, some by several facilities, and others
have to wait.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from orderstate.history import OrderMapping, Reader

SHARE = (0.86, 1.0)
"""A SKU's stock as a part of the units ordered, drawn evenly from here: on the average 0.93."""

WEIGHTS = {"THU": 20, "WAR": 17, "SOU": 13, "AVO": 13, "LIV": 11, "BEL": 4, "DAV": 12, "DON": 10}
"""How large each facility is."""

BACK = {"DAV": 0.8, "DON": 0.65}
"""The part of a facility's units that lies in its back pool; 0.15 where none is given."""


def demand(file: Path) -> Counter[str]:
    """Units ordered over the whole file, by SKU, as the built-in mapping reads it."""
    units: Counter[str] = Counter()
    for row in Reader(file, OrderMapping.load("online-retail")):
        if not row.cancels:
            units[row.sku] += row.units
    return units


def stock(ordered: Counter[str], seed: int) -> Iterator[tuple[str, str, str, int]]:
    """(facility, sku, pool, units on hand), by SKU."""
    random = Random(seed)
    facilities, weights = list(WEIGHTS), list(WEIGHTS.values())
    for sku in sorted(ordered):
        # Every code must be there once, or its orders could not even be placed.
        units = max(1, round(ordered[sku] * random.uniform(*SHARE)))
        chosen = sorted(set(random.choices(facilities, weights, k=random.randint(2, 6))))
        parts = [WEIGHTS[code] * random.uniform(0.5, 1.5) for code in chosen]
        left, whole = units, sum(parts)
        for place, code in enumerate(chosen):
            here = left if place == len(chosen) - 1 else min(left, round(units * parts[place] / whole))
            left -= here
            back = round(here * BACK.get(code, 0.15))
            for pool, n in (("primary", here - back), ("back", back)):
                if n:
                    yield code, sku, pool, n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="online_retail.csv.gz")
    parser.add_argument("--seed", type=int, default=2011, help="another seed deals other stock (default: 2011)")
    given = parser.parse_args()
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("facility", "sku", "pool", "on_hand"))
    out.writerows(sorted(stock(demand(given.file), given.seed)))


if __name__ == "__main__":
    main()

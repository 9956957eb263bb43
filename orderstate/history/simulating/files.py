"""Results on disk: a file is there whole or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from orderstate import outputs
from orderstate.history.simulating.result import COLUMNS, Simulation


def write_csv(found: Simulation, file: str | Path) -> None:
    """One row for each strategy in each scenario. Raises what `outputs.write` raises for what cannot be written."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(COLUMNS)
    write.writerows(found.csv_rows())
    outputs.write(file, out.getvalue(), "csv")

"""The table that the README shows of a year of real orders is what simulate prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import type_in

ROOT = Path(__file__).parents[1]
FILE = ROOT.parent / "shared" / "data" / "online_retail" / "online_retail.csv.gz"
EXAMPLE = ROOT / "examples" / "online_retail"


@pytest.mark.heavy
@pytest.mark.skipif(not FILE.is_file(), reason="the folder shared/, with the order history, is not beside the project")
def test_the_simulation_in_the_readme_is_its_real_output(tmp_path: Path) -> None:
    (tmp_path / "online_retail.csv.gz").symlink_to(FILE)
    (tmp_path / "facilities.csv").symlink_to(EXAMPLE / "facilities.csv")
    with (tmp_path / "stock.csv").open("w", encoding="utf-8") as stock:
        subprocess.run([sys.executable, str(EXAMPLE / "make_stock.py"), str(FILE)], stdout=stock, check=True)
    command = "orderstate simulate online_retail.csv.gz --facilities facilities.csv --stock stock.csv"
    shown = type_in(f"{command} 2>/dev/null", tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert shown.count("\n") > 20
    assert shown in readme

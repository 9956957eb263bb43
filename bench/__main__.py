"""Runs the benchmarks: `python -m bench [--quick] [NAME ...]`, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

BENCHMARKS = {
    "machine_step": "one step of the machine above its guards",
    "lifecycle": "place + tie + ship against the same rows by hand",
    "plan": "strategies on made-up orders and real baskets",
    "simulate": "strategies over the order history of a real shop: orders a second, memory",
    "work": "events a second through work, and from a commit to what follows it",
    "brokers": "events a second into each broker, confirmed: one by one and 500 in flight",
    "startup": "CPU time of a command line, against a bare typer program",
    "relay": "events per second through relay and consume, with each broker",
    "scale": "a million orders against five thousand",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is named, or everything; the status is that of the first that fails."""
    known = [name for name in BENCHMARKS if find_spec(f"bench.{name}")]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure orderstate against its budgets, as ratios inside one run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:14}{BENCHMARKS[name]}" for name in known)
        + "\n\nEach has options of its own: python -m bench.NAME --help",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run (everything)")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter, in under a minute")
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are: {', '.join(known)}")
    status = 0
    for name in given.names or known:
        # A process each, so that no benchmark inherits the caches and the garbage of another.
        command = [sys.executable, "-m", f"bench.{name}", *(["--quick"] if given.quick else [])]
        status = status or subprocess.run(command, check=False).returncode
        print(flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())

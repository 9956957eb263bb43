"""`orderstate` and `python -m orderstate`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; its exit status."""
    try:
        from orderstate.cli import run  # inside, so that Ctrl-C during the import is quiet too
    except KeyboardInterrupt:
        return 130
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

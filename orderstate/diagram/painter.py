"""A program of its own: reads a drawing in Graphviz's language on stdin, writes it laid out on stdout, once a format.
With `--placed` the drawing says where everything is, and is only drawn.

Graphviz is C in our process: it is not safe among threads, takes its fonts from the environment of the whole process,
and writes its warnings where Python cannot catch them. In a process of its own it does all that to nobody.

Each rendering comes with its length before it, 8 bytes, big endian. Exit status 9: pygraphviz cannot be imported.
"""

from __future__ import annotations

import sys

MISSING = 9


def main(formats: list[str]) -> int:
    """Render stdin in each of the formats."""
    layout = "nop2" if "--placed" in formats else "dot"
    try:
        from pygraphviz import AGraph
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    text = sys.stdin.buffer.read().decode()
    for form in (name for name in formats if name != "--placed"):
        drawn: bytes = AGraph(string=text).draw(format=form, prog=layout)
        sys.stdout.buffer.write(len(drawn).to_bytes(8, "big") + drawn)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

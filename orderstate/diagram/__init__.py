"""Drawings of a flow, and of the path that one order took through it: for a terminal, in Mermaid, in Graphviz dot.

    from orderstate.diagram import terminal
    from orderstate.machine import STANDARD

    print(terminal(STANDARD, width=100), end="")

Values in, text out: nothing here reads a database or prints.
"""

from __future__ import annotations

from orderstate.diagram.chart import Step, Walk
from orderstate.diagram.drawing import terminal
from orderstate.diagram.markup import dot, mermaid

__all__ = ["Step", "Walk", "dot", "mermaid", "terminal"]

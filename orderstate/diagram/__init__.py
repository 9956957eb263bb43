"""Drawings of a flow, and of the path that one order took through it: for a terminal, in Mermaid, in Graphviz dot, and
as pictures (SVG, PNG, PDF) with the extra `diagram`.

    from orderstate.diagram import terminal
    from orderstate.machine import STANDARD

    print(terminal(STANDARD, width=100), end="")

Values in, a drawing out: nothing here reads a database or prints.
"""

from __future__ import annotations

from orderstate.diagram.chart import Step, Walk
from orderstate.diagram.drawing import terminal
from orderstate.diagram.graph import dot
from orderstate.diagram.markup import mermaid
from orderstate.diagram.pictures import picture

__all__ = ["Step", "Walk", "dot", "mermaid", "picture", "terminal"]

"""The commands and the questions: the one place that joins machine, allocation and store."""

from orderstate.engine.answer import Answer
from orderstate.engine.asking import Explanation, History, Planned, Shown
from orderstate.engine.engine import Engine
from orderstate.engine.timers import Due

__all__ = ["Answer", "Due", "Engine", "Explanation", "History", "Planned", "Shown"]

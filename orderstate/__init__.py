"""An order engine: a declarative state machine, explained allocation, durable orders and stock."""

__version__ = "0.1.0"

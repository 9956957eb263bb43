"""What the processes of a race between workers run. Imported by each of them, so it imports nothing of pytest."""

from __future__ import annotations

from pathlib import Path

from orderstate import Engine
from orderstate.errors import Conflict
from orderstate.events.working import Worker


def drain(path: Path, batch: int, least: int) -> int:
    """Deliver until `least` deliveries are there and all of them are made; how many attempts this worker made."""
    made = 0
    with Engine.open(f"sqlite:///{path}?timeout=60") as engine:
        worker = Worker(engine, batch=batch)
        while True:
            try:
                made += worker.drain()
            except Conflict:
                continue
            with engine.store.read() as tx:
                there, left = tx.execute("SELECT count(*), count(*) - count(delivered) FROM delivery").fetchone()
            if there >= least and not left:
                return made


def place(path: Path, orders: int) -> int:
    """Place orders and cancel each, while others deliver."""
    with Engine.open(f"sqlite:///{path}?timeout=60") as engine:
        for _ in range(orders):
            engine.cancel(engine.place({"MUG": 1}, "US").order)
    return 0


def act(path: Path, role: str, number: int, least: int) -> int:
    """One process of the race."""
    return place(path, number) if role == "place" else drain(path, number, least)

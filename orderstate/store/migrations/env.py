"""How Alembic runs here: on the connection it is handed, inside the transaction that is already open."""

from __future__ import annotations

from alembic import context

from orderstate.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

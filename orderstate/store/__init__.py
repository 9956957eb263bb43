"""The only room that knows SQL: tables, statements, connections, migrations and care of the database."""

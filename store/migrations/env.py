"""Alembic's entry: migrate over the connection it is handed, inside its transaction."""

from alembic import context

from store.schema.tables import needs

context.configure(
    connection=context.config.attributes["connection"], target_metadata=needs.metadata
)
with context.begin_transaction():
    context.run_migrations()

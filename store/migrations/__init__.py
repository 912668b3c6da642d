"""Alembic revisions of the store, run by ``store.database.open_store``."""

"""Labels: what goods are called in words, as somebody told it; a new name is a new row."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Select, insert, select

from store.database import writing
from store.schema.tables import labels


def keep_label(engine: Engine, commodity: str, label: str, *, at: datetime) -> bool:
    """Keep what a commodity is called, unless it is called so already.

    Args:
        engine: an opened store.
        commodity: a code.
        label: one line of words; empty says nothing and leaves what was told before.
        at: the moment, aware.

    Returns: whether it is new.
    """
    if not label:
        return False
    with writing(engine) as connection:
        before = connection.execute(_newest(commodity)).first()
        if before is not None and before.label == label:
            return False
        # Later than the one before, whatever the clock did since.
        moment = at if before is None else max(at, before.available_at + timedelta(microseconds=1))
        row = {"commodity": commodity, "available_at": moment, "label": label}
        connection.execute(insert(labels).values(**row))
    return True


def read_label(engine: Engine, commodity: str) -> str:
    """Read what a commodity is called last; empty where nobody told."""
    with engine.begin() as connection:
        found = connection.execute(_newest(commodity)).first()
    return "" if found is None else str(found.label)


def fetch_labels(connection: Connection) -> dict[str, str]:
    """Fetch by commodity what it is called last."""
    rows = connection.execute(select(labels).order_by(labels.c.available_at))
    return {str(row.commodity): str(row.label) for row in rows}


def _newest(commodity: str) -> Select[tuple[object, ...]]:
    own = labels.c.commodity == commodity
    return select(labels).where(own).order_by(labels.c.available_at.desc()).limit(1)

"""Labels: the names users give to commodities; a new name is a new row."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Select, insert, select

from store.database import writing
from store.schema.tables import labels


def save_label(engine: Engine, commodity: str, label: str, *, at: datetime) -> bool:
    """Save the label of a commodity, unless it has this label already.

    Args:
        engine: an opened store.
        commodity: a code.
        label: one line of text; empty leaves the earlier label in force.
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
    """Read the newest label of a commodity; empty where it has none."""
    with engine.begin() as connection:
        found = connection.execute(_newest(commodity)).first()
    return "" if found is None else str(found.label)


def fetch_labels(connection: Connection) -> dict[str, str]:
    """Fetch the newest label of each commodity."""
    rows = connection.execute(select(labels).order_by(labels.c.available_at))
    return {str(row.commodity): str(row.label) for row in rows}


def _newest(commodity: str) -> Select[tuple[object, ...]]:
    own = labels.c.commodity == commodity
    return select(labels).where(own).order_by(labels.c.available_at.desc()).limit(1)

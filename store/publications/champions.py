"""The version of each registered model that publishes, kept when it is promoted.

MLflow holds all versions; its import takes seconds, which no verb that only reads should wait for.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import Engine, delete, insert, select

from store.database import reading, writing
from store.schema.database_tables import champions


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A registered version, and what it was trained on."""

    version: int
    run_id: str
    folder: str = ""
    """Of its files, below that of the artifacts; empty where they lie elsewhere."""
    model_version: str = ""
    """Its name, as published forecasts carry it."""
    as_of: str = ""
    data_vintage: str = ""
    recipe: str = ""
    """Digest of its parameters and features."""
    rolled_back: str = ""
    """Reason why it was rolled back; empty if it was not."""
    git_commit: str = ""
    parameters: str = ""
    """Parameters that were not at their defaults, as JSON."""
    sha256: str = ""
    """Digest of its boosters and metadata."""


def write_champion(engine: Engine, name: str, champion: RegisteredVersion) -> None:
    """Keep the version of a registered model that publishes from now on."""
    with writing(engine) as connection:
        connection.execute(delete(champions).where(champions.c.name == name))
        connection.execute(insert(champions).values(name=name, **asdict(champion)))


def read_champion(engine: Engine, name: str) -> RegisteredVersion | None:
    """Version of a registered model that publishes, or None before the first promotion."""
    columns = [column for column in champions.c if column.name != "name"]
    with reading(engine) as connection:
        row = connection.execute(select(*columns).where(champions.c.name == name)).first()
    return None if row is None else RegisteredVersion(**row._asdict())

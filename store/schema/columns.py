"""Column types and marks shared by the tables."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, DateTime, Dialect, Integer, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

WORDING: Final = {"wording": True}
"""Mark of a column whose text may differ between two versions of one row."""

BOOKKEEPING: Final = {"bookkeeping": True}
"""Mark of a column the store fills in: no source states it and no reader of rows sees it."""

TEXT_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""Fixed width, so that text order is time order where the database has no zones."""


class UtcMoment(TypeDecorator[datetime]):
    """A UTC moment: ``timestamptz`` on PostgreSQL, sortable ISO text on SQLite.

    A naive datetime is refused on the way in; what comes out is always aware.
    """

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the database's own type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | datetime | None:
        """Turn an aware datetime into what the database keeps."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(
                f"Moment {value.isoformat()} has no time zone. Expected an aware datetime, such as "
                "2025-04-10T00:00:00+00:00. Attach UTC where the moment enters the program."
            )
        moment = value.astimezone(UTC)
        return moment.strftime(TEXT_FORMAT) if dialect.name == "sqlite" else moment

    def process_result_value(
        self,
        value: str | datetime | None,
        dialect: Dialect,  # noqa: ARG002  # the base class asks for it
    ) -> datetime | None:
        """Turn what the database keeps into an aware datetime."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.strptime(value, TEXT_FORMAT).replace(tzinfo=UTC)
        return value.astimezone(UTC)


def text(name: str, *, wording: bool = False, nullable: bool = False) -> Column[str]:
    """Make a text column; empty text, not NULL, for no value."""
    return Column(name, Text, nullable=nullable, info=WORDING if wording else {})


def texts(*names: str, wording: bool = False, nullable: bool = False) -> list[Column[str]]:
    """Make several text columns; as ``text``."""
    return [text(name, wording=wording, nullable=nullable) for name in names]


def columns(kind: type[TypeEngine[Any]], *names: str, nullable: bool = False) -> list[Column[Any]]:
    """Make several columns of one type."""
    return [Column(name, kind, nullable=nullable) for name in names]


def serial() -> Column[int]:
    """Make the column ``id`` of rows that are numbered as they come."""
    return Column("id", Integer, primary_key=True, autoincrement=True)

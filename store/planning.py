"""What the home has seen of a firm's planning: forecasts by others, and what alert rules found.

Needs and rules are not stored: they stand in ``planning.yaml`` (``publication.planning``).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

import pandas as pd
from sqlalchemy import Engine, func, insert, select, update

from store.database import reading, writing
from store.errors import DataError
from store.facts.new_rows import check_clock
from store.facts.reading import read_table
from store.schema.database_tables import alerts, forecasts, rival_forecasts

LONGEST_NAME: Final = 80


def checked_name(text: str, thing: str) -> str:
    """A one-line text without surrounding blanks."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise DataError(
            f"{name[:100]!r} as the name of a {thing}. Expected 1 to {LONGEST_NAME} printable "
            "characters on one line. Correct it."
        )
    return name


@dataclass(frozen=True, slots=True)
class RivalForecast:
    """Somebody else's forecast of one month."""

    name: str
    """Whose it is: a person, a bank, a newswire, a model."""
    source: str
    """Where it stands; may be empty."""
    made_on: date
    destination: str
    period: date
    tonnes: float
    commodity: str


def note_rivals(engine: Engine, rows: Iterable[RivalForecast], *, at: datetime) -> int:
    """Store the forecasts by others that are new, as first seen now, and count them.

    One that is stored keeps its moment, however often its file is read.
    """
    names = [*RivalForecast.__dataclass_fields__]
    with writing(engine) as connection:
        stored = {
            tuple(row)
            for row in connection.execute(select(*(rival_forecasts.c[name] for name in names)))
        }
        new = {tuple(asdict(row).values()): asdict(row) for row in rows}
        entries = [{**row, "available_at": at} for key, row in new.items() if key not in stored]
        if entries:
            check_clock(connection, rival_forecasts.c.available_at, at)
            connection.execute(insert(rival_forecasts), entries)
    return len(entries)


def highest_published(engine: Engine) -> dict[tuple[str, str], float]:
    """Largest p95 that was published, in tonnes a month, by commodity and destination."""
    key = forecasts.c["commodity", "destination"]
    rows = select(*key, func.max(forecasts.c.p95)).group_by(*key)
    with reading(engine) as connection:
        return {(row[0], row[1]): float(row[2]) for row in connection.execute(rows)}


@dataclass(frozen=True, slots=True)
class AlertFinding:
    """What one rule found in one publication."""

    rule: str
    """Its name."""
    commodity: str
    destination: str
    measure: str
    as_of: datetime
    against: datetime
    """Moment of the publication before."""
    fired: bool
    period: date | None
    """Month that changed most, None where the two publications share no month."""
    before: float | None
    after: float | None
    message: str


def save_findings(
    engine: Engine, findings: Iterable[AlertFinding], *, at: datetime
) -> list[AlertFinding]:
    """Save findings and return the new ones; each rule reports once per publication."""
    new = []
    with writing(engine) as connection:
        saved = {tuple(row) for row in connection.execute(select(alerts.c.rule, alerts.c.as_of))}
        for finding in findings:
            if (finding.rule, finding.as_of) not in saved:
                values = {**asdict(finding), "evaluated_at": at, "attempts": 0}
                connection.execute(insert(alerts).values(values))
                new.append(finding)
    return new


def note_delivery(
    engine: Engine, finding: tuple[str, datetime], at: datetime | None, trouble: str, tries: int = 0
) -> None:
    """Note when an alert was sent, None for not at all, who did not take it, and further tries."""
    rule, as_of = finding
    is_alert = (alerts.c.rule == rule) & (alerts.c.as_of == as_of)
    change = update(alerts).where(is_alert)
    with writing(engine) as connection:
        connection.execute(
            change.values(attempts=alerts.c.attempts + tries, trouble=trouble, delivered_at=at)
        )


def read_rivals(engine: Engine) -> pd.DataFrame:
    """Forecasts by others, oldest first; ``period`` is the first day of the month."""
    return read_table(engine, rival_forecasts).sort_values("id", ignore_index=True)


def read_alerts(engine: Engine) -> pd.DataFrame:
    """Findings that raised an alert, newest first."""
    rows = read_table(engine, alerts)
    fired = rows.loc[rows["fired"].astype(bool)]
    return fired.sort_values(["as_of", "rule"], ascending=[False, True], ignore_index=True)

"""What the home has seen of a firm's planning: what alert rules found.

Needs and rules are not stored: they stand in ``planning.yaml`` (``publication.planning``).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

import pandas as pd
from sqlalchemy import Engine, insert, select, update

from store.database import writing
from store.errors import DataError
from store.facts.reading import read_table
from store.schema.database_tables import alerts

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


def read_alerts(engine: Engine) -> pd.DataFrame:
    """Findings that raised an alert, newest first."""
    rows = read_table(engine, alerts)
    fired = rows.loc[rows["fired"].astype(bool)]
    return fired.sort_values(["as_of", "rule"], ascending=[False, True], ignore_index=True)

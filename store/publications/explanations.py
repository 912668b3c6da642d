"""What is stored beside a publication to explain it: what changed, and what may come."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, select, update

from store.database import reading, writing
from store.months import month_number
from store.schema.database_tables import publications

DIGITS: Final = 3
"""Decimals of tonnes that are stored."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A control, or the rise of a tariff, that is announced for a day within the horizon."""

    event_id: str
    """Of the act; empty for a tariff."""
    due: str
    """``YYYY-MM-DD``."""
    is_return: bool
    """Whether it comes back after a suspension."""
    chances: tuple[float, ...]
    """That it comes as announced, later, weaker or not at all."""
    destinations: tuple[str, ...]
    """Series it affects; sums only where it affects all members."""
    importer: str = ""
    """Who raises a tariff; empty for a control."""
    rate_before_pct: float = 0.0
    """What it charges in all on the day before the rise."""
    until: str = ""
    """Last day of the raised rate, ``YYYY-MM-DD``; empty where it is open."""

    @property
    def last(self) -> str:
        return f"{date.fromisoformat(self.due) - timedelta(days=1)}"


@dataclass(frozen=True, slots=True)
class NewFigure:
    """A figure that became known since the publication before, beside what was expected of it."""

    destination: str
    first: str
    """First month that it is about, ``YYYY-MM``."""
    last: str
    measure: str
    value: float
    """In the unit of the measure."""
    available_at: str
    """UTC moment, ISO."""
    source: str
    source_url: str
    is_revision: bool
    """Whether another value of it was known before."""
    expected_t: float | None
    """Median of the publication before; None where that did not forecast just this month."""
    published_t: float | None
    """Tonnes of the month as known now; None where it is an estimate still, or several months."""
    moved: Mapping[str, Mapping[str, float]] | None = None
    """By how many tonnes it moved medians, by destination and month; None where that was not
    computed on its own."""


def runs_of(figures: Sequence[NewFigure]) -> list[tuple[NewFigure, ...]]:
    """Figures in their order, neighbouring months of one destination as one run, oldest first.

    Others stand alone: months that were not forecast before or are estimates still, and spans.
    """
    by_month = sorted(figures, key=lambda figure: (figure.destination, figure.first))
    runs: list[list[NewFigure]] = []
    for figure in by_month:
        last = runs[-1][-1] if runs else None
        if last is not None and _is_next(last, figure):
            runs[-1].append(figure)
        else:
            runs.append([figure])
    return sorted(map(tuple, runs), key=lambda run: min(map(figures.index, run)))


def _is_next(earlier: NewFigure, later: NewFigure) -> bool:
    is_outcome = all(
        figure.expected_t is not None and figure.published_t is not None
        for figure in (earlier, later)
    )
    is_neighbour = month_number(later.first) == month_number(earlier.last) + 1
    return is_outcome and is_neighbour and earlier.destination == later.destination


@dataclass(frozen=True, slots=True)
class Precedent:
    """A past control behind the policy response, and what it left month by month."""

    event_id: str
    """Begins with its month, ``YYYY-MM``."""
    material: str
    instrument: str
    retained: Mapping[str, float]
    """Share of the exports before it, by month since its first day, from ``1``."""


@dataclass(frozen=True, slots=True)
class StoredExplanation:
    """What changed since the publication before, and what may come within the horizon."""

    since: int = 0
    """Number of the publication before; 0 where there is none."""
    changes: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Tonnes by destination, month (``YYYY-MM``) and cause; causes of no tonnes are left out."""
    announced: tuple[Announced, ...] = ()
    figures: tuple[NewFigure, ...] = ()
    """In the order in which they became known."""
    precedents: tuple[Precedent, ...] = ()


_STORED: Final = TypeAdapter(StoredExplanation)


def save_explanation(engine: Engine, number: int, explanation: StoredExplanation) -> None:
    """Save the explanation of a publication; the publication itself stays as it is."""
    text = json.dumps(asdict(explanation), allow_nan=False, separators=(",", ":"))
    change = update(publications).where(publications.c.id == number)
    with writing(engine) as connection:
        connection.execute(change.values(explanation=text))


def read_explanation(where: Engine | Connection, number: int) -> StoredExplanation | None:
    """Read the explanation of a publication; None where there is none."""
    query = select(publications.c.explanation).where(publications.c.id == number)
    with reading(where) as connection:
        text = connection.scalar(query)
    return _STORED.validate_json(text) if text else None

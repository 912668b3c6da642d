"""The parts of published medians, stored beside them."""

import json

import pandas as pd

from service.http.responses import Record
from service.live.publication import Publication
from service.queries.documents import KILOGRAMS
from service.queries.history import known_destination
from service.report.why import forecast_sentences
from service.wording.goods import UnknownError
from service.wording.names import name_of


def explanation(
    publication: Publication, destination: str, moment: pd.Timestamp, period: str | None
) -> Record:
    """Return the parts of the medians of a destination.

    Args:
        publication: The newest publication.
        destination: A code.
        moment: Of a published forecast.
        period: ``YYYY-MM``; None for all months.

    Raises:
        UnknownError: The destination or month was not forecast.
    """
    rows = publication.forecasts_at(moment)
    own = rows.loc[rows["destination"] == destination].sort_values("period")
    if own.empty:
        known_destination(publication, destination)
    chosen = own if period is None else own.loc[own["period"] == period]
    if chosen.empty:
        raise UnknownError(
            f"No month {period} in the forecast of {destination!r} as of {moment:%Y-%m-%d}. "
            f"Expected {own['period'].min()} to {own['period'].max()}. Choose one of those."
        )
    return {
        "destination": destination,
        "name": name_of(destination),
        "unit": "t",
        "as_of": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "months": [_month(destination, row) for row in chosen.to_dict("records")],
    }


def _month(destination: str, row: dict[object, object]) -> Record:
    period, stored = str(row["period"]), row["contributions"]
    parts: dict[str, float] | None = json.loads(stored) if isinstance(stored, str) else None
    return {
        "period": period,
        "p50": round(float(str(row["p50"])), KILOGRAMS),
        "parts": parts and {name: round(tonnes, KILOGRAMS) for name, tonnes in parts.items()},
        "sentences": forecast_sentences(destination, period, parts) if parts else [],
    }

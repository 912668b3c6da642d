"""What the charts of a publication show."""

from dataclasses import replace
from typing import Final

import pandas as pd

from service.charts.fan import Fan, ReportInput, make_fan
from service.charts.markers import pick_steps
from service.language.choice import language
from service.live.publication import Publication

MOST_EARLIER: Final = 12
"""Earlier forecasts drawn behind; more hide the rest."""


def fan_of(publication: Publication, destination: str) -> Fan:
    """Return what the chart of one destination shows; gathered once."""
    return publication.memo.make(
        ("fan", destination, language()), lambda: _fan(publication, destination)
    )


def _fan(publication: Publication, destination: str) -> Fan:
    snapshot = publication.snapshot
    report = ReportInput(
        commodity=publication.commodity,
        label=publication.published.labels.get(publication.commodity, ""),
        as_of=publication.as_of,
        cutoff=snapshot.cutoff,
        forecasts=publication.latest,
        panel=snapshot.panel,
        events=snapshot.ledger.events,
        scores=publication.scores_at(publication.as_of),
    )
    fan = make_fan(report, destination)
    steps = pick_steps(
        snapshot.ledger.tariffs,
        destination=destination,
        start=fan.start,
        end=fan.end,
        as_of=fan.as_of,
    )
    return replace(fan, earlier=_earlier(publication, fan), steps=steps)


def _earlier(publication: Publication, fan: Fan) -> tuple[pd.DataFrame, ...]:
    """Return the medians published before the newest forecast, oldest first."""
    rows = publication.published.forecasts
    own = rows.loc[rows["destination"] == fan.destination, ["as_of", "period", "p50"]]
    own = own.assign(period=pd.to_datetime(own["period"]))
    shown = own.loc[own["as_of"].lt(publication.as_of) & own["period"].between(fan.start, fan.end)]
    parts = [part.sort_values("period") for _, part in shown.groupby("as_of")]
    return tuple(parts[-MOST_EARLIER:])

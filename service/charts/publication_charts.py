"""Charts of a publication: those of the report, with what was forecast before and the tariffs."""

from dataclasses import replace
from typing import Final

import pandas as pd

from service.charts.fan import Fan, make_fan
from service.charts.fan_charts import fan_png, fan_svg
from service.charts.overview_chart import overview_svg
from service.charts.tariff_markers import pick_steps
from service.live.publication import Publication
from service.report.inputs import ReportInput
from service.report.view import alt_text

MOST_EARLIER: Final = 12
"""Earlier forecasts drawn behind; more hide the rest."""

_OVERVIEW_ALT: Final = (
    "Small fan charts of every destination, each on its own scale; the table above has the numbers."
)

MOST_SMALL: Final = 12
"""Small charts of a commodity with hundreds of destinations; more take long and say little."""

_LARGEST_ALT: Final = (
    "Small fan charts of the largest destinations and sums, each on its own scale; the table above "
    "has the numbers."
)


def report_of(publication: Publication) -> ReportInput:
    """Return a publication as the report shows one; it only regroups what is there."""
    stand = publication.stand
    return ReportInput(
        as_of=publication.as_of,
        cutoff=stand.cutoff,
        forecasts=publication.latest,
        panel=stand.panel,
        events=stand.ledger.events,
        scores=publication.published.scores,
        suspicious=stand.suspicious,
        unknowns=[],
        model_version="; ".join(sorted(set(publication.latest["model"]))),
        data_vintage="; ".join(sorted(set(publication.latest["data_vintage"]))),
    )


def fan_of(publication: Publication, destination: str) -> Fan:
    """Return what the chart of one destination shows; gathered once."""
    return publication.memo.make(("fan", destination), lambda: _fan(publication, destination))


def chart_svg(publication: Publication, destination: str) -> str:
    """Return the chart for a page; drawn once."""
    fan = fan_of(publication, destination)
    return publication.memo.make(("svg", destination), lambda: fan_svg(fan, label=alt_text(fan)))


def chart_png(publication: Publication, destination: str) -> bytes:
    """Return the chart as a picture of its own; drawn once."""
    fan = fan_of(publication, destination)
    return publication.memo.make(("png", destination), lambda: fan_png(fan))


def small_charts(publication: Publication) -> str:
    """Return the small charts of all destinations, or of the largest ones; drawn once."""
    return publication.memo.make("small", lambda: _small(publication))


def _small(publication: Publication) -> str:
    names = publication.destinations
    if publication.is_magnets:
        fans = [fan_of(publication, name) for name in names]
        return overview_svg(fans, label=_OVERVIEW_ALT)
    size = publication.latest.groupby("destination")["p50"].sum()
    drawn = size.nlargest(MOST_SMALL).index
    fans = [fan_of(publication, str(name)) for name in drawn]
    title = (
        f"China's exports of {publication.goods}, tonnes a month: the {len(fans)} "
        f"largest of {len(names)} destinations and sums"
    )
    return overview_svg(fans, label=_LARGEST_ALT, title=title)


def _fan(publication: Publication, destination: str) -> Fan:
    fan = make_fan(report_of(publication), destination)
    steps = pick_steps(
        publication.stand.ledger.tariffs,
        destination=destination,
        start=fan.start,
        end=fan.end,
        as_of=fan.as_of,
    )
    return replace(fan, goods=publication.goods, earlier=_earlier(publication, fan), steps=steps)


def _earlier(publication: Publication, fan: Fan) -> tuple[pd.DataFrame, ...]:
    """Return the medians published before the newest forecast, oldest first."""
    rows = publication.published.forecasts
    own = rows.loc[rows["destination"] == fan.destination, ["as_of", "period", "p50"]]
    own = own.assign(period=pd.to_datetime(own["period"]))
    shown = own.loc[own["as_of"].lt(publication.as_of) & own["period"].between(fan.start, fan.end)]
    parts = [part.sort_values("period") for _, part in shown.groupby("as_of")]
    return tuple(parts[-MOST_EARLIER:])

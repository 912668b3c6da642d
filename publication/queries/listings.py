"""Lists of pages and files: ingests, scores, publications, commodities, policy."""

from typing import Final

import pandas as pd

from publication.charts.fan import scheduled
from publication.queries.freshness import newest_act, published_at
from publication.queries.table_columns import (
    COMMODITY_ROW,
    EVENT_ROW,
    FIGURE_ROW,
    PUBLICATION_ROW,
    SCORE_ROW,
    TARIFF_ROW,
    VINTAGE_ROW,
)
from publication.state import Publication
from publication.tables import Record, records
from publication.words import LABELS

SUSPICIOUS_COLUMNS: Final = ("statement", "residual_t", "z", "source_url")

AFTERWARDS: Final = pd.Timedelta(days=7)
"""A forecast published so long after its moment may come from a newer method."""


def vintages(publication: Publication) -> list[Record]:
    """Ingests, newest first."""
    rows = publication.published.vintages.sort_values("id", ascending=False)
    return records(rows[list(VINTAGE_ROW)])


def suspicious(publication: Publication) -> list[Record]:
    """Published figures inconsistent with the others, worst first."""
    return records(publication.snapshot.suspicious[list(SUSPICIOUS_COLUMNS)])


def scores(publication: Publication) -> list[Record]:
    """Scores of backtests, the newest moment first."""
    rows = publication.published.scores[list(SCORE_ROW)]
    return records(rows.sort_values("as_of", ascending=False, kind="stable"))


def publications(publication: Publication) -> list[Record]:
    """One row a publication, newest first."""
    rows = publication.published.every
    groups = rows.groupby(["as_of", "publication"], sort=True)
    summaries = [_summary(publication, part) for _, part in groups]
    return records(pd.DataFrame(summaries[::-1], columns=list(PUBLICATION_ROW)))


def _summary(publication: Publication, rows: pd.DataFrame) -> Record:
    extent, ended = _extent(rows), published_at(publication, rows)
    return {
        **extent,
        "publication": int(rows["publication"].iloc[0]),
        "published_at": ended,
        "afterwards": ended is not None and ended - extent["as_of"] > AFTERWARDS,
        "models": "; ".join(sorted(set(rows["model"]))),
        "statuses": "; ".join(sorted(set(rows["status"]))),
        "data_vintage": "; ".join(sorted(set(rows["data_vintage"]))),
    }


def commodity_row(publication: Publication) -> Record:
    """Row of a commodity with its newest forecast."""
    rows, code = publication.latest, publication.commodity
    about = {
        **_extent(rows),
        "commodity": code,
        "label": LABELS.get(code) or publication.published.labels.get(code, ""),
        "months": rows["period"].nunique(),
        "status": rows["status"].max(),
    }
    return records(pd.DataFrame([about], columns=list(COMMODITY_ROW)))[0]


def _extent(rows: pd.DataFrame) -> Record:
    return {
        "as_of": rows["as_of"].iloc[0],
        "cutoff": rows["cutoff"].max(),
        "first_period": rows["period"].min(),
        "last_period": rows["period"].max(),
        "destinations": rows["destination"].nunique(),
    }


def events(publication: Publication) -> list[Record]:
    """Newest version of each event, latest announcement first."""
    order = ["announced_on", "severity", "event_id"]
    rows = publication.ledger.events.sort_values(order, ascending=False)
    return records(rows[list(EVENT_ROW)])


def unreported(publication: Publication, now: pd.Timestamp) -> list[Record]:
    """Scheduled events that are past but later than the newest announcement in the data."""
    rows, newest = scheduled(publication.ledger.events), newest_act(publication)
    if newest is None:
        return []
    day = rows["effective_from"]
    due = rows.loc[day.gt(newest) & day.le(now.tz_convert("UTC").tz_localize(None))]
    return records(due.sort_values("effective_from")[list(EVENT_ROW)])


def tariffs(publication: Publication) -> list[Record]:
    """Newest version of each tariff step, latest start first."""
    order = ["effective_from", "importer", "component"]
    rows = publication.ledger.tariffs.sort_values(order, ascending=[False, True, True])
    return records(rows[list(TARIFF_ROW)])


def figures(publication: Publication) -> list[Record]:
    """Published figures, newest first; a revision is a further row."""
    rows = publication.published.observations
    newest = rows.sort_values("available_at", ascending=False, kind="stable")
    shown = newest[list(FIGURE_ROW)]
    months = {n: shown[n].dt.strftime("%Y-%m") for n in ("period_from", "period_to")}
    return records(shown.assign(**months))

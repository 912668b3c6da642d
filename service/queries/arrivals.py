"""Ingests, rejected files, inconsistent figures, scores and publications."""

from typing import Final

import pandas as pd

from service.http.responses import Record, records
from service.live.publication import Publication

VINTAGE_COLUMNS: Final = (
    "id", "ingested_at", "source", "file_name", "rows", "period_from", "period_to",
    "first_available_at", "last_available_at", "actor", "sha256",
)  # fmt: skip

QUARANTINE_COLUMNS: Final = (
    "id", "quarantined_at", "source", "file_name", "reasons", "actor", "released_at",
    "released_by", "note",
)  # fmt: skip

SUSPICIOUS_COLUMNS: Final = ("statement", "residual_t", "z", "source_url")

SCORE_COLUMNS: Final = (
    "as_of", "model", "scope", "horizon_from", "horizon_to", "metric", "value", "cells",
)  # fmt: skip

PUBLICATION_COLUMNS: Final = (
    "as_of", "published_at", "afterwards", "cutoff", "first_period", "last_period",
    "destinations", "models", "statuses", "data_vintage",
)  # fmt: skip

AFTERWARDS: Final = pd.Timedelta(days=7)
"""A forecast published so long after its moment may come from a newer method."""


def vintages(publication: Publication) -> list[Record]:
    """Return the ingests, newest first."""
    return _newest_first(publication.published.vintages, VINTAGE_COLUMNS)


def quarantine(publication: Publication) -> list[Record]:
    """Return the files that the data checks rejected, newest first, without their rows."""
    return _newest_first(publication.published.quarantine, QUARANTINE_COLUMNS)


def suspicious(publication: Publication) -> list[Record]:
    """Return the published figures inconsistent with the others, worst first."""
    return records(publication.stand.suspicious[list(SUSPICIOUS_COLUMNS)])


def scores(publication: Publication, *, scope: str = "", metric: str = "") -> list[Record]:
    """Return the scores of backtests, the newest moment first."""
    rows = publication.published.scores
    for name, value in (("scope", scope), ("metric", metric)):
        rows = rows.loc[rows[name] == value] if value else rows
    return records(rows[list(SCORE_COLUMNS)].sort_values("as_of", ascending=False, kind="stable"))


def publications(publication: Publication) -> list[Record]:
    """Return one row a published forecast, newest first."""
    rows = publication.published.forecasts
    return records(
        pd.DataFrame(
            [
                _summary(publication, pd.Timestamp(str(m)), part)
                for m, part in rows.groupby("as_of")
            ],
            columns=list(PUBLICATION_COLUMNS),
        ).sort_values("as_of", ascending=False)
    )


def published_at(publication: Publication, moment: pd.Timestamp) -> pd.Timestamp | None:
    """Return when the run that published a forecast ended, None where none is recorded."""
    runs = publication.published.runs
    own = runs["commodity"].eq(publication.commodity) & runs["as_of"].eq(moment)
    ended = runs.loc[own & runs["status"].eq("finished"), "finished_at"]
    return None if ended.isna().all() else pd.Timestamp(ended.max())


def _summary(publication: Publication, moment: pd.Timestamp, rows: pd.DataFrame) -> Record:
    ended = published_at(publication, moment)
    return {
        "as_of": moment,
        "published_at": ended,
        "afterwards": ended is not None and ended - moment > AFTERWARDS,
        "cutoff": rows["cutoff"].max(),
        "first_period": rows["period"].min(),
        "last_period": rows["period"].max(),
        "destinations": rows["destination"].nunique(),
        "models": "; ".join(sorted(set(rows["model"]))),
        "statuses": "; ".join(sorted(set(rows["status"]))),
        "data_vintage": "; ".join(sorted(set(rows["data_vintage"]))),
    }


def _newest_first(rows: pd.DataFrame, columns: tuple[str, ...]) -> list[Record]:
    return records(rows.sort_values("id", ascending=False)[list(columns)])

"""Lists of pages and API: ingests, rejected files, scores, publications, commodities, policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from service.charts.fan import scheduled, touches
from service.http.responses import Record, records
from service.live.publication import Publication
from service.queries.freshness import newest_act, published_at
from service.queries.row_models import (
    CommodityResponse,
    Event,
    FigureResponse,
    PublicationResponse,
    ResponseModel,
    ScoreResponse,
    Tariff,
    columns_of,
)
from service.words import LABELS, address_key
from store.facts.reading import latest_forecast

SUSPICIOUS_COLUMNS: Final = ("statement", "residual_t", "z", "source_url")

AFTERWARDS: Final = pd.Timedelta(days=7)
"""A forecast published so long after its moment may come from a newer method."""


def newest_first(rows: pd.DataFrame, row: type[ResponseModel]) -> list[Record]:
    """Numbered rows, newest first, with the columns of a documented row."""
    return records(rows.sort_values("id", ascending=False)[columns_of(row)])


def suspicious(publication: Publication) -> list[Record]:
    """Published figures inconsistent with the others, worst first."""
    return records(publication.snapshot.suspicious[list(SUSPICIOUS_COLUMNS)])


def scores(publication: Publication, *, scope: str = "", metric: str = "") -> list[Record]:
    """Scores of backtests, the newest moment first."""
    rows = publication.published.scores
    for name, value in (("scope", scope), ("metric", metric)):
        rows = rows.loc[rows[name] == value] if value else rows
    return records(
        rows[columns_of(ScoreResponse)].sort_values("as_of", ascending=False, kind="stable")
    )


def publications(publication: Publication) -> list[Record]:
    """One row a publication, newest first."""
    rows = publication.published.every
    groups = rows.groupby(["as_of", "publication"], sort=True)
    summaries = [_summary(publication, part) for _, part in groups]
    return records(pd.DataFrame(summaries[::-1], columns=columns_of(PublicationResponse)))


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


def listing(publication: Publication, engine: Engine) -> list[Record]:
    """One row a commodity, the magnets first; read once a publication."""
    rows: list[Record] = publication.memo.make("commodities", lambda: _rows(publication, engine))
    return rows


def _rows(publication: Publication, engine: Engine) -> list[Record]:
    published = publication.published
    commodities = []
    for code in sorted(published.commodities, key=address_key):
        rows = latest_forecast(engine, commodity=code, columns=["destination", "status"])
        commodities.append(
            {
                **_extent(rows),
                "commodity": code,
                "label": LABELS.get(code) or published.labels.get(code, ""),
                "months": rows["period"].nunique(),
                "status": rows["status"].max(),
            }
        )
    return records(pd.DataFrame(commodities, columns=columns_of(CommodityResponse)))


def _extent(rows: pd.DataFrame) -> Record:
    return {
        "as_of": rows["as_of"].iloc[0],
        "cutoff": rows["cutoff"].max(),
        "first_period": rows["period"].min(),
        "last_period": rows["period"].max(),
        "destinations": rows["destination"].nunique(),
    }


_SEARCHED: Final = ("event_id", "issuer", "summary", "legal_reference", "products", "note")
SEARCHED_STEPS: Final = ("importer", "component", "legal_reference", "note")


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """A search; empty fields restrict nothing."""

    text: str = ""
    destination: str = ""
    instrument: str = ""


def events(publication: Publication, search: LedgerQuery) -> list[Record]:
    """Newest version of each matching event, latest announcement first."""
    rows = publication.ledger.events
    if search.instrument:
        rows = rows.loc[rows["instrument"] == search.instrument]
    if search.destination:
        fits = [touches(search.destination, _codes(cell)) for cell in rows["destinations"]]
        rows = rows.loc[fits]
    rows = _matching(rows, _SEARCHED, search.text)
    order = ["announced_on", "severity", "event_id"]
    return records(rows.sort_values(order, ascending=False)[columns_of(Event)])


def unreported(publication: Publication, now: pd.Timestamp) -> list[Record]:
    """Scheduled events that are past but later than the newest announcement in the data."""
    rows, newest = scheduled(publication.ledger.events), newest_act(publication)
    if newest is None:
        return []
    day = rows["effective_from"]
    due = rows.loc[day.gt(newest) & day.le(now.tz_convert("UTC").tz_localize(None))]
    return records(due.sort_values("effective_from")[columns_of(Event)])


def tariffs(publication: Publication, *, importer: str = "", text: str = "") -> list[Record]:
    """Newest version of each matching tariff step, latest start first."""
    rows = publication.ledger.tariffs
    if importer:
        rows = rows.loc[rows["importer"] == importer]
    rows = _matching(rows, SEARCHED_STEPS, text)
    order = ["effective_from", "importer", "component"]
    return records(rows.sort_values(order, ascending=[False, True, True])[columns_of(Tariff)])


def instruments(publication: Publication) -> list[str]:
    """Instruments that occur."""
    return sorted(set(publication.ledger.events["instrument"]))


def _matching(rows: pd.DataFrame, columns: Sequence[str], text: str) -> pd.DataFrame:
    words = text.casefold().split()
    cells = rows[list(columns)].astype(str).to_numpy()
    texts = [" ".join(row).casefold() for row in cells]
    return rows.loc[[all(word in text for word in words) for text in texts]]


def _codes(cell: object) -> list[str]:
    return [] if pd.isna(cell) else [code.strip() for code in str(cell).split(";")]  # type: ignore[call-overload]


def figures(
    publication: Publication, *, destination: str | None = None, period: str | None = None
) -> list[Record]:
    """Published figures, newest first; a revision is a further row.

    Args:
        destination: Country, region or ranking; all if None.
        period: Month, ``YYYY-MM``, that the span of a figure contains; all if None.
    """
    rows = publication.published.observations
    if destination is not None:
        rows = rows.loc[rows["destination"] == destination]
    if period is not None:
        month = pd.Timestamp(f"{period}-01")
        rows = rows.loc[(rows["period_from"] <= month) & (rows["period_to"] >= month)]
    newest = rows.sort_values("available_at", ascending=False, kind="stable")
    shown = newest[columns_of(FigureResponse)]
    months = {n: shown[n].dt.strftime("%Y-%m") for n in ("period_from", "period_to")}
    return records(shown.assign(**months))

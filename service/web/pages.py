"""The pages of records: track record, policy ledger, data."""

from typing import Final

import pandas as pd

from service.http.responses import Answer, Record
from service.live.publication import Publication
from service.planning.planning_state import PlanningState
from service.queries import arrivals, history, ledger, track
from service.queries.planning import value_added
from service.report.backtest_view import ALL, YARDSTICKS, ScoreRow, losses, score_rows
from service.web.render import page
from service.wording.goods import home_of
from service.wording.names import name_of
from store.vocabulary import ERROR_AUTOCORRELATION, WORLD

ROWS: Final = 50
"""Rows of a long table on one page."""

FIGURES: Final = 40


def track_page(publication: Publication, now: pd.Timestamp, planning: PlanningState) -> Answer:
    """Return the track record, with the value added by overrides."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    rows = _replay(publication)
    live, later = track.live(cells), track.afterwards(cells)
    counted = live if len(live) else later
    return page(
        "track.html.j2",
        publication,
        now=now,
        here=f"{home_of(publication.commodity)}/track-record",
        overall=track.score(track.without_sums(live), "Published ahead"),
        later=track.score(track.without_sums(later), "Afterwards"),
        by_horizon=track.by_horizon(counted),
        by_destination=track.by_destination(counted, publication.destinations),
        errors=track.largest_errors(publication, counted),
        published=arrivals.publications(publication),
        replay=[row for row in rows if row.scope in {ALL, WORLD}],
        losses=losses(rows),
        overridden=len(planning.overrides_of(publication.commodity)),
        added=value_added(publication, planning),
    )


def _replay(publication: Publication) -> list[ScoreRow]:
    """Return the newest backtest of our model and the simple rules, without its components."""
    scores = publication.published.scores
    ours = {*publication.published.runs["model_version"], *publication.latest["model"]}
    errors = scores["metric"] != ERROR_AUTOCORRELATION
    shown = scores.loc[errors & scores["model"].isin([*ours, *YARDSTICKS])]
    return score_rows(shown.loc[shown["as_of"] == shown["as_of"].max()])


def policy_page(
    publication: Publication, now: pd.Timestamp, search: ledger.LedgerQuery, number: int
) -> Answer:
    """Return one page of the policy ledger, filtered by a search."""
    found = ledger.events(publication, search)
    first = (number - 1) * ROWS
    return page(
        "policy.html.j2",
        publication,
        now=now,
        here="/policy",
        search=search,
        found=len(found),
        events=found[first : first + ROWS],
        number=number,
        pages=max(1, -(-len(found) // ROWS)),
        tariffs=_tariffs(publication, search),
        destinations=history.titles(publication),
        instruments=ledger.instruments(publication),
    )


def data_page(publication: Publication, now: pd.Timestamp) -> Answer:
    """Return the ingested files, the rejected ones and the inconsistent figures."""
    rejected = arrivals.quarantine(publication)
    return page(
        "data.html.j2",
        publication,
        now=now,
        here="/data",
        vintages=arrivals.vintages(publication)[:ROWS],
        vintages_in_all=len(publication.published.vintages),
        waiting=[row for row in rejected if row["released_at"] is None],
        released=[row for row in rejected if row["released_at"] is not None][:ROWS],
        suspicious=arrivals.suspicious(publication),
        figures=history.figures(publication)[:FIGURES],
    )


def _tariffs(publication: Publication, search: ledger.LedgerQuery) -> list[Record]:
    """Return the tariff steps that match a search; none for instruments besides tariffs."""
    if search.instrument and not search.instrument.startswith("tariff"):
        return []
    rows = ledger.tariffs(publication, importer=search.destination, text=search.text)
    return [{**row, "name": name_of(row["importer"])} for row in rows]

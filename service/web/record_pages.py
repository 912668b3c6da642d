"""The pages of records: needs and alerts, track record, policy ledger, data, system status."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

import pandas as pd

from models.forecasting.firm_needs import Days
from models.monitoring import HealthReport
from service.charts.fan import fan_of
from service.http.responses import Answer, Record, records
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.planning import entries
from service.planning.alerts import alerts_in_words
from service.planning.firm import FirmAnswer
from service.planning.rivals import rival_scores
from service.queries import listings, track
from service.queries.destination_months import titles
from service.queries.freshness import newest_act
from service.queries.needs import all_needs, arrival_months, carry_over_of, transit_of
from service.queries.row_models import RefusedFileResponse, Vintage
from service.queries.yardsticks import held_ahead, losses
from service.state import State
from service.web.page_charts import OVER_ALL, counted_cells, page_chart, replay_rows
from service.web.render import FormErrors, bare_page, page
from service.words import address_key, home_of, name_of, query_of, rendered, words_of
from store.publications.explanations import StoredExplanation
from store.vocabulary import ALL, COMMODITY, WORLD

_ADDRESS: Final = "/status"
TEMPLATE: Final = "status.html.j2"

RUNS: Final = 10
ROWS: Final = 50
"""Rows of a long table on one page."""


def status_page(
    health: HealthReport, publication: Publication | None, read_at: pd.Timestamp
) -> Answer:
    """System status; without a publication it shows the installation only.

    Args:
        publication: The newest publication, None if there is none.
    """
    if publication is None:
        return bare_page(TEMPLATE, address=_ADDRESS, **_health_values(health), models=(), runs=())
    rejected = listings.newest_first(publication.published.quarantine, RefusedFileResponse)
    return page(
        TEMPLATE,
        publication,
        read_at=read_at,
        address=_ADDRESS,
        **_health_values(health),
        models=models_in_use(publication),
        runs=recent_runs(publication),
        vintages=listings.newest_first(publication.published.vintages, Vintage)[:ROWS],
        vintages_in_all=len(publication.published.vintages),
        waiting=[row for row in rejected if row["released_at"] is None],
        released=[row for row in rejected if row["released_at"] is not None][:ROWS],
    )


def _health_values(health: HealthReport) -> dict[str, object]:
    """Values of the template that need no publication; sentences are in the reader's language."""
    return {
        "health": health,
        "headline": rendered(health.headline),
        "lines": [rendered(line) for line in health.lines],
        "alarms": [replace(alarm, words=rendered(alarm.words)) for alarm in health.alarms],
    }


def models_in_use(publication: Publication) -> list[Record]:
    """Model of each destination in the newest forecast, and why not the champion."""
    rows = publication.latest.fillna({"reason": ""})
    parts = rows[["destination", "status", "model", "reason"]].drop_duplicates()
    place = {code: number for number, code in enumerate(publication.destinations)}
    return records(
        parts.sort_values("destination", key=lambda codes: codes.map(place), kind="stable")
    )


def recent_runs(publication: Publication) -> list[Record]:
    """Last runs of any flow, newest first; minutes are None for a run in progress."""
    runs = publication.published.runs.sort_values("started_at", ascending=False).head(RUNS)
    ended, started = (
        pd.to_datetime(runs[name], utc=True) for name in ("finished_at", "started_at")
    )
    return records(runs.assign(minutes=(ended - started).dt.total_seconds() / 60))


PLACE: Final = "/needs"


def needs_page(
    shared: State,
    publication: Publication,
    planning: PlanningState,
    *,
    picked: str = "",
    month: str = "",
    ended: int = 0,
    refused: FormErrors | None = None,
    firm: FirmAnswer | None = None,
    typed: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """Page of needs, alert rules and alerts.

    Args:
        publication: The newest publication of the commodity that the forms are for.
        month: First and last month in the form of a need, ``YYYY-MM``.
        ended: A need whose end can be taken back.
        firm: Answers to the firm of the address, as ``typed`` in its form.
    """
    ahead = sorted(set(publication.latest["period"]))
    codes = sorted(publication.published.commodities, key=address_key)
    planned = {*planning.needs["commodity"], *planning.rows.rules["commodity"]}
    in_use = {COMMODITY, publication.commodity} | planned
    return page(
        "needs.html.j2",
        publication,
        read_at=shared.live.clock(),
        address=PLACE,
        needs=[_for_page(need, planning.shipping) for need in all_needs(shared.live, planning)],
        ended=_ended(planning, ended),
        rules=entries.rules(planning),
        alerts=alerts_in_words(planning, publication.published.labels),
        carry_over=carry_over_of(publication),
        destinations=[(code, name_of(code)) for code in publication.destinations],
        picked=picked,
        month=month,
        first=ahead[0],
        last=ahead[-1],
        commodities={code: words_of(code, publication.published.labels) for code in codes},
        listed=[code for code in codes if code in in_use],
        magnets=COMMODITY,
        refused=refused,
        firm=firm,
        asked=typed,
        kept=_kept(
            **{
                **typed,
                "commodity": address_key(publication.commodity),
                "destination": typed.get("destination", ""),
                "month": month,
            }
        ),
    )


def _ended(planning: PlanningState, number: int) -> Record | None:
    rows = planning.rows.needs
    need = rows.loc[rows["id"].eq(number) & rows["ended_at"].notna(), ["id", "name"]]
    return next(iter(records(need)), None)


def _kept(**fields: object) -> str:
    """Fields of an address that a switch of the language keeps."""
    query = urlencode({name: value for name, value in fields.items() if value})
    return f"{query}&" if query else ""


def needs_at(commodity: str, part: str = "") -> str:
    """Address of the page with forms of a commodity, or of a part of it."""
    query = query_of(commodity)
    return f"{PLACE}{f'?{query}' if query else ''}{f'#{part}' if part else ''}"


def _for_page(need: Record, shipping: Mapping[str, Days]) -> Record:
    """Need with the address of its pages and when its months arrive."""
    days = transit_of(shipping, need["destination"])
    arrivals = {row["period"]: arrival_months(row["period"], days) for row in need["months"]}
    return {**need, "home": home_of(need["commodity"]), "days": days, "arrivals": arrivals}


_FIGURES: Final = 40


def track_page(
    publication: Publication, read_at: pd.Timestamp, planning: PlanningState, destination: str
) -> Answer:
    """Track record, with the panels of a destination and how forecasts by others did."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    live, later = track.live_and_later(cells)
    scored = counted_cells(publication)
    first = publication.destinations[0]
    return page(
        "track.html.j2",
        publication,
        read_at=read_at,
        address=f"{home_of(publication.commodity)}/track-record",
        overall=track.score(track.without_sums(live), "Published ahead"),
        later=track.score(track.without_sums(later), "Afterwards"),
        by_lead=track.by_lead(scored),
        by_destination=track.by_destination(scored, publication.destinations),
        held=track.coverage(scored, publication.destinations),
        kept=f"country={destination}&",
        destination=destination,
        others=titles(publication),
        outcome=page_chart(publication, "outcome", destination),
        **backtest_values(publication, destination),
        calibration=page_chart(publication, "calibration", first),
        errors=track.largest_errors(publication, scored),
        published=listings.publications(publication),
        rivals=planning.rows.rivals["commodity"].eq(publication.commodity).sum(),
        rival_scores=rival_scores(publication, planning),
    )


def backtest_values(publication: Publication, destination: str) -> dict[str, object]:
    """Template values of a page or report about the newest backtest."""
    rows = replay_rows(publication)
    fans = [fan_of(publication, name) for name in publication.destinations]
    first = publication.destinations[0]
    return {
        "charts": {kind: page_chart(publication, kind, first) for kind in OVER_ALL},
        "replayed": page_chart(publication, "replay", destination),
        "replay": [row for row in rows if row.scope in {ALL, WORLD}],
        "losses": losses(rows),
        "held_ahead": held_ahead(publication.scores_at(publication.as_of)),
        "held_before": track.backtest_coverage(publication.scores_at(publication.as_of), fans),
    }


def policy_page(
    publication: Publication, read_at: pd.Timestamp, search: listings.LedgerQuery, number: int
) -> Answer:
    """Page ``number`` of the policy ledger, filtered by a search."""
    events = listings.events(publication, search)
    first = (number - 1) * ROWS
    return page(
        "policy.html.j2",
        publication,
        read_at=read_at,
        address="/policy",
        search=search,
        kept=_kept(
            q=search.text,
            destination=search.destination,
            instrument=search.instrument,
            page=number if number > 1 else "",
        ),
        found=len(events),
        events=events[first : first + ROWS],
        number=number,
        pages=max(1, -(-len(events) // ROWS)),
        tariffs=_tariffs(publication, search),
        destinations=titles(publication),
        instruments=listings.instruments(publication),
        newest=newest_act(publication),
        unreported=listings.unreported(publication, read_at),
        precedents=(publication.published.explanation or StoredExplanation()).precedents,
    )


def data_page(publication: Publication, read_at: pd.Timestamp) -> Answer:
    """Newest figures and those inconsistent with the others."""
    return page(
        "data.html.j2",
        publication,
        read_at=read_at,
        address="/data",
        suspicious=listings.suspicious(publication),
        figures=listings.figures(publication)[:_FIGURES],
    )


def _tariffs(publication: Publication, search: listings.LedgerQuery) -> list[Record]:
    """Tariff steps that match a search; none for instruments besides tariffs."""
    if search.instrument and not search.instrument.startswith("tariff"):
        return []
    rows = listings.tariffs(publication, importer=search.destination, text=search.text)
    return [{**row, "name": name_of(row["importer"])} for row in rows]

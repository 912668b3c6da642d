"""The pages of records: track record, policy ledger, data, past publications, other goods."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from publication.charts.fan import fan_of
from publication.pages.page_charts import counted_cells, page_chart, replay_rows
from publication.pages.render import page
from publication.queries import listings, track
from publication.queries.freshness import newest_act
from publication.queries.track import held_ahead, losses
from publication.state import Publication
from publication.words import name_of, slug_of
from store.publications.explanations import StoredExplanation
from store.vocabulary import ALL, FORECASTABLE, WORLD

_FIGURES: Final = 40
"""Newest figures on a page; the file has all."""


def track_page(
    publication: Publication,
    read_at: pd.Timestamp,
    **about: Any,  # noqa: ANN401 - of every page
) -> str:
    """Track record."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    live, later = track.live_and_later(cells)
    scored = counted_cells(publication)
    first = publication.destinations[0]
    rows = replay_rows(publication)
    scores = publication.scores_at(publication.as_of)
    fans = [fan_of(publication, name) for name in publication.destinations]
    return page(
        "track.html.j2",
        publication,
        read_at=read_at,
        path=f"{publication.home}/track-record.html".lstrip("/"),
        overall=track.score(track.without_sums(live), "Published ahead"),
        later=track.score(track.without_sums(later), "Afterwards"),
        by_lead=track.by_lead(scored),
        by_destination=track.by_destination(scored, publication.destinations),
        held=track.coverage(scored, publication.destinations),
        outcome=page_chart(publication, "outcome", first),
        replayed=page_chart(publication, "replay", first),
        replay=[row for row in rows if row.scope in {ALL, FORECASTABLE, WORLD}],
        losses=losses(rows),
        held_ahead=held_ahead(scores),
        held_before=track.backtest_coverage(scores, fans),
        calibration=page_chart(publication, "calibration", first),
        errors=track.largest_errors(publication, scored),
        published=listings.publications(publication),
        **about,
    )


def policy_page(publication: Publication, read_at: pd.Timestamp, **about: Any) -> str:  # noqa: ANN401
    """Policy ledger, and the precedents of the policy response."""
    steps = [{**row, "name": name_of(row["importer"])} for row in listings.tariffs(publication)]
    return page(
        "policy.html.j2",
        publication,
        read_at=read_at,
        path="policy.html",
        events=listings.events(publication),
        tariffs=steps,
        newest=newest_act(publication),
        unreported=listings.unreported(publication, read_at),
        returns=listings.unknown_returns(publication, read_at),
        precedents=(publication.published.explanation or StoredExplanation()).precedents,
        **about,
    )


def data_page(publication: Publication, read_at: pd.Timestamp, **about: Any) -> str:  # noqa: ANN401
    """Newest figures and those inconsistent with the others."""
    return page(
        "data.html.j2",
        publication,
        read_at=read_at,
        path="data.html",
        suspicious=listings.suspicious(publication),
        figures=listings.figures(publication)[:_FIGURES],
        **about,
    )


def publications_page(publication: Publication, read_at: pd.Timestamp, **about: Any) -> str:  # noqa: ANN401
    """Past publications, each with the address of its folder."""
    rows = [
        {**row, "folder": f"publications/{slug_of(publication.commodity)}/{row['publication']}/"}
        for row in listings.publications(publication)
    ]
    return page(
        "publications.html.j2",
        publication,
        read_at=read_at,
        path=f"{publication.home}/publications.html".lstrip("/"),
        published=rows,
        **about,
    )


def goods_page(publications: Sequence[Publication], read_at: pd.Timestamp, **about: Any) -> str:  # noqa: ANN401
    """Page of the other commodities."""
    rows = [{**listings.commodity_row(other), "home": other.home} for other in publications[1:]]
    return page(
        "goods.html.j2", publications[0], read_at=read_at, path="goods.html", others=rows, **about
    )

"""The page of one destination, which as the first page lists all, and that of the firm's needs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from models.forecasting.model_names import rule_of
from publication.charts.fan import Fan, fan_of
from publication.language.phrases import language
from publication.pages.briefing import Surprise, briefing_of, change_of, slump_of, surprises_of
from publication.pages.page_charts import page_chart
from publication.pages.render import page
from publication.planning.needs import need_documents, order_examples
from publication.planning.planning_file import Planning
from publication.queries.destination_months import (
    MonthRow,
    month_rows,
    months_of,
    next_months,
    sums_of,
    titles,
)
from publication.queries.explanation_sentences import forecast_sentences
from publication.queries.freshness import basis_words
from publication.queries.listings import unknown_returns, unreported
from publication.state import Publication
from publication.tables import Record
from publication.words import name_of, slug_of
from store.vocabulary import WORLD

HISTORY_SHOWN: Final = 36
"""Months of history in the table; the CSV has all."""

COUNTRY_OF_LANGUAGE: Final = {"de": "DEU", "ja": "JPN", "ko": "KOR"}
"""The destination that readers of a language see first; others see the world."""


def first_destination(publication: Publication) -> str:
    """Destination of the first page in the language in use."""
    usual = (COUNTRY_OF_LANGUAGE.get(language(), ""), WORLD)
    codes = publication.destinations
    return next((code for code in usual if code in codes), codes[0])


def first_country(publication: Publication) -> str:
    """Country of the reader's language; the United States where it is spoken in many."""
    code, codes = COUNTRY_OF_LANGUAGE.get(language(), "USA"), publication.destinations
    return code if code in codes else codes[-1]


def destination_page(
    publication: Publication,
    read_at: pd.Timestamp,
    planning: Planning,
    destination: str,
    *,
    is_first: bool = False,
    **about: Any,  # noqa: ANN401 - of every page
) -> str:
    """Page of one destination.

    Args:
        is_first: Whether this is the first page: it lists all destinations too.
        about: As ``publication.pages.render.page`` takes it.
    """
    fan = fan_of(publication, destination)
    briefing = briefing_of(publication, fan, read_at)
    month = briefing.month
    needs = [
        need
        for need in need_documents(publication, planning, read_at)
        if month is not None
        and need["destination"] == destination
        and need["period_from"] <= month.period <= need["period_to"]
    ]
    place = "index" if is_first else f"destinations/{slug_of(destination)}"
    return page(
        "destination.html.j2",
        publication,
        read_at=read_at,
        path=f"{publication.home}/{place}.html".lstrip("/"),
        destination=destination,
        basis=basis_words(publication.bases.get(destination)),
        briefing=briefing,
        unreported=unreported(publication, read_at),
        returns=unknown_returns(publication, read_at),
        surprises=_surprises(publication, read_at, destination, is_first=is_first),
        usual=publication.usual(destination),
        together=next_months(publication, destination, f"{read_at:%Y-%m}"),
        examples=order_examples(destination, read_at),
        needs=needs,
        name=name_of(destination),
        fan=fan,
        chart=page_chart(publication, "fan", destination),
        rows=month_rows(fan),
        sums=sums_of(publication, destination),
        causes=causes_of(fan, month),
        lines=_lines(publication, read_at) if is_first else [],
        revisions=page_chart(publication, "revisions", destination),
        outcomes=[page_chart(publication, kind, destination) for kind in ("outcome", "replay")],
        history=months_of(publication, destination)[: -HISTORY_SHOWN - 1 : -1],
        others=titles(publication),
        **about,
    )


def _surprises(
    publication: Publication, read_at: pd.Timestamp, destination: str, *, is_first: bool
) -> list[tuple[str, Surprise]]:
    """Surprises on a page: of the destination, or of all with the place of each."""
    surprises = surprises_of(publication, read_at)
    if is_first or destination == WORLD:
        return [*surprises.items()]
    return [("", surprises[destination])] if destination in surprises else []


def causes_of(fan: Fan, month: MonthRow | None) -> list[str]:
    """Explain the median of a month by the parts that add up to it, as far as published."""
    if month is None:
        return []
    records = fan.forecast.to_dict("records")
    stored = next(row for row in records if f"{row['period']:%Y-%m}" == month.period)
    if not isinstance(parts := stored.get("contributions"), str) or not parts:
        return []
    # The heading has the median.
    rule = rule_of(str(stored["model"]))
    return forecast_sentences(fan.destination, month.period, json.loads(parts), rule)[1:]


def _lines(publication: Publication, read_at: pd.Timestamp) -> list[Record]:
    """One row per destination of the table of all; the largest first if there are many."""
    today = f"{read_at:%Y-%m}"
    lines: list[Record] = [
        {
            "destination": name,
            "months": month_rows(replace(fan, forecast=ahead.iloc[:1])),
            "status": fan.status,
            "past": fan.history["tonnes"].dropna().tail(_SPARK_MONTHS).tolist(),
            "ahead": fan.ahead["p50"].tolist(),
            "before": change_of(publication, name, f"{ahead['period'].min():%Y-%m}").before
            if len(ahead)
            else 0.0,
            "slump": slump_of(publication, fan, today),
        }
        for name in publication.destinations
        for fan in [fan_of(publication, name)]
        for ahead in [fan.forecast[fan.forecast["period"] > today]]
    ]
    if publication.is_wide:
        lines.sort(key=lambda line: -sum(row.p50 for row in line["months"]))
    return lines


_SPARK_MONTHS: Final = 24


def planning_page(
    publications: Sequence[Publication],
    read_at: pd.Timestamp,
    planning: Planning,
    **about: Any,  # noqa: ANN401 - of every page
) -> str:
    """Page of needs, alert rules and alerts."""
    needs = [
        {**need, "home": publication.home}
        for publication in publications
        for need in need_documents(publication, planning, read_at)
    ]
    return page(
        "planning.html.j2",
        publications[0],
        read_at=read_at,
        path="planning.html",
        needs=needs,
        rules=planning.file.alert_rules if planning.file else (),
        alerts=planning.alerts,
        **about,
    )

"""Templates of the site, and what every page of it has."""

from functools import cache
from typing import Any, Final

import pandas as pd
from jinja2 import Environment

from service.charts.canvas import COLOURS, DARK_COLOURS
from service.http.responses import HTML, Answer, answer_of
from service.http.templating import environment
from service.live.publication import Publication
from service.queries.freshness import freshness_of
from service.wording.goods import file_of, home_of, query_of
from service.wording.numbers import MISSING

SITE: Final = "site/"
CSS: Final = "text/css; charset=utf-8"

NAVIGATION: Final = (
    ("/", "Overview"),
    ("/what-if", "What if"),
    ("/needs", "Needs and alerts"),
    ("/track-record", "Track record"),
    ("/policy", "Policy"),
    ("/data", "Data"),
)
"""The pages in the navigation; a new page adds itself here."""

OTHERS: Final = ("/goods", "Other goods")
"""Added where other commodities are published."""


def page(
    template: str, publication: Publication, *, now: pd.Timestamp, here: str, **values: object
) -> Answer:
    """Return a page with its stamp.

    Args:
        template: File below ``templates/site``.
        publication: The newest publication.
        now: The moment of the request.
        here: Address of the page, to mark it in the navigation.
        values: Further values of the template.
    """
    fresh = freshness_of(publication, now=now)
    others = len(publication.published.commodities) > 1
    commodity = publication.commodity
    return _answer(
        template,
        here=here,
        fresh=fresh,
        publication=publication,
        navigation=(*NAVIGATION, OTHERS) if others else NAVIGATION,
        goods=publication.goods,
        is_magnets=publication.is_magnets,
        home=home_of(commodity),
        query=query_of(commodity),
        file=file_of(commodity),
        **values,
    )


def bare_page(template: str, *, here: str = "", **values: object) -> str:
    """Return a page that needs no publication."""
    return _rendered(
        template, here=here, navigation=NAVIGATION, is_magnets=True, query="", **values
    )


@cache
def stylesheet() -> Answer:
    """Return the styles of all pages."""
    text = _templates().get_template(f"{SITE}style.css.j2")
    body = text.render(colours=COLOURS, dark_colours=DARK_COLOURS)
    return answer_of(body.encode(), CSS)


def _answer(template: str, **values: Any) -> Answer:  # noqa: ANN401 - values of any type
    return answer_of(_rendered(template, **values).encode(), HTML)


def _rendered(template: str, **values: Any) -> str:  # noqa: ANN401 - values of any type
    return _templates().get_template(f"{SITE}{template}").render(**values)


@cache
def _templates() -> Environment:
    made = environment()
    made.filters["day"] = _day
    made.filters["month"] = _month
    return made


def _day(moment: object) -> str:
    """Format a day, from a date or ISO text; a dash where there is none."""
    return MISSING if moment is None or pd.isna(moment) else f"{pd.Timestamp(moment):%-d %b %Y}"  # type: ignore[call-overload, arg-type]


def _month(moment: object) -> str:
    """Format a month, from a date or ISO text; a dash where there is none."""
    return MISSING if moment is None or pd.isna(moment) else f"{pd.Timestamp(moment):%b %Y}"  # type: ignore[call-overload, arg-type]

import re

import pandas as pd

from publication import tables
from publication.language.phrases import catalogue_of
from publication.queries import track
from publication.queries.destination_months import months_of
from publication.state import Publication
from tests.publication.pages import page_of

CLAIM = re.compile(r"\b(actual|actuals|known|observed)\b", re.IGNORECASE)

ALLOWED = (
    "Actual",
    "Error: absolute error as a share of actual tonnes", "%(n)s month was forecast before its",
    "%(name)s, the last %(count)s months, newest first: observed (published), derived from other",
    "Every forecast is stored as",
    "Error: %(error)s of actual tonnes", "Assumed, not known",
    "The newest backtest: forecasts as they could have been made on past dates, for months whose",
    "Figures of %(month)s were due on %(day)s; the newest known of the world are of %(newest)s.",
    "There is no active %(what)s", "%(act)s is not a known act", "No suspension is known",
    "Not known: whether %(acts)s took effect again after",
    "The present rate of %(",
    "No effect of acts of the kind",
    "No effect of %(act)s is computed", "No backtest is attached to this forecast, so its",
    "Latest start first. A dash means that the rate is not known", "if empty: as currently known",
    "%(count)s of the %(past)s replayed past tables are", "Trade court hears challenge to",
)  # fmt: skip
"""Beginnings of sentences about published figures, acts, rates, scores, or what was known then."""


def test_nothing_estimated_is_called_actual_known_or_observed(publication: Publication) -> None:
    sentences = [m.id if isinstance(m.id, str) else m.id[0] for m in catalogue_of("de")]
    documented = [rows for name, rows in vars(tables).items() if name.endswith("_ROW")]
    cells = track.cells_of(publication)
    estimated = {
        (name, month["period"])
        for name in publication.destinations
        for month in months_of(publication, name)
        if month["kind"] == "estimated"
    }

    claims = {one for one in sentences if CLAIM.search(one)}
    assert {one for one in claims if not one.startswith(ALLOWED)} == set()
    names = {name for rows in documented for name in rows}
    assert {name for name in names if CLAIM.search(name.replace("_", " "))} == set()
    assert estimated
    scored = {*zip(cells["destination"], cells["period"].dt.strftime("%Y-%m"), strict=True)}
    assert scored
    assert not scored & estimated


def test_a_year_before_that_is_an_estimate_is_marked(publication: Publication) -> None:
    kinds = {month["period"]: month["kind"] for month in months_of(publication, "USA")}
    page = page_of(publication, "USA").partition('id="months-head"')[2]
    table = re.findall(
        r'class="text">(\w+ \d{4})(.*?)</tr>', page.partition("</table>")[0], re.DOTALL
    )

    marks = {(pd.Timestamp(month), ">estimated<" in row) for month, row in table}
    before = {(f"{month - pd.DateOffset(years=1):%Y-%m}", mark) for month, mark in marks}
    assert {(kinds[month], mark) for month, mark in before if month in kinds} == {
        ("observed", False), ("derived", False), ("estimated", True),
    }  # fmt: skip

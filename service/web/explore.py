"""The explorable chart: its numbers, its script, and Plotly's as its Python package brings it."""

import gzip
import json
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pandas as pd
from fastapi import Request
from starlette.responses import Response

from service.charts.fan import Fan
from service.charts.markers import pick_markers
from service.charts.publication_charts import fan_of
from service.http.responses import Answer, Record, answer_of, json_answer
from service.language.acts import act_words
from service.language.choice import language
from service.language.phrases import gettext, marked
from service.live.documents import KILOGRAMS
from service.live.publication import Publication
from service.queries.history import months_of
from service.web.scripts import JAVASCRIPT, SCRIPTED_CSP, kept_for_good, script_address, scripted
from service.wording import home_of, name_of
from store.publications.basis import STDERR_BAND

SCRIPT_ADDRESS: Final = script_address("explore")
PLOTLY_ADDRESS: Final = f"/static/plotly-{version('plotly')}.min.js"
"""Names its version, so that browsers may keep it for good."""

CHART_CSP: Final = SCRIPTED_CSP.replace(
    "style-src 'self'",
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='",
)
"""Of a page with the chart: the two hashes admit Plotly's own style element, empty and as it fills
it."""

_BASES: Final = {
    "observed": marked("published"),
    "derived": marked("computed from published figures"),
    "estimated": marked("estimated"),
}
"""How a past month is known, in words."""


WORDS: Final = {
    "past": marked("{tonnes} t, {basis}"),
    "ahead": marked("median {p50} t, 80%% band {p10} to {p90} t"),
    "none": marked("no figure"),
    "band of": marked("{name} 80%% band"),
    "earlier": marked("past forecasts"),
    "as of": marked("{tonnes} t as of {day}"),
    "past months": marked("past months"),
    "median": marked("median"),
    "median of": marked("{name} median"),
    "band": marked("80%% band {p10} to {p90}"),
    "events": marked("policy events"),
    "2 years": marked("2 years"),
    "5 years": marked("5 years"),
    "all": marked("all"),
    "index": marked("index"),
    "tonnes": marked("tonnes"),
    "month format": marked("%%B %%Y"),
    "base": marked("The average month of {year} is 100 for each destination."),
    "loading": marked("Loading the chart."),
    "no script": marked("the chart's script did not load"),
    "failed": marked(
        "The chart cannot be explored now ({why}). The picture above and the tables have the same "
        "numbers."
    ),
}
"""What the script writes; it fills the braces."""


def explore_document(publication: Publication, destination: str) -> Answer:
    """Return what the chart of a destination draws, tonnes; gathered once."""
    months = months_of(publication, destination)
    return publication.memo.make(
        ("explore", destination, language()),
        lambda: json_answer(_document(publication, destination, months)),
    )


def _document(
    publication: Publication, destination: str, months: list[Record]
) -> dict[str, object]:
    fan = fan_of(publication, destination)
    ahead = fan.forecast
    return {
        "name": name_of(destination),
        "asOf": f"{fan.as_of:%Y-%m-%d}",
        "history": {
            "period": [row["period"] for row in months],
            "tonnes": [row["tonnes"] for row in months],
            "basis": [gettext(_BASES[str(row["kind"])]) for row in months],
            "kind": [row["kind"] for row in months],
            "error": [round(STDERR_BAND * (row["stderr_t"] or 0.0), KILOGRAMS) for row in months],
        },
        "forecast": {
            "period": _labels(ahead["period"]),
            **{name: ahead[name].round(3).tolist() for name in ("p10", "p50", "p90")},
        },
        "earlier": [
            {
                "asOf": f"{pd.Timestamp(one['as_of'].iloc[0]):%Y-%m-%d}",
                "period": _labels(one["period"]),
                "p50": one["p50"].round(3).tolist(),
            }
            for one in fan.earlier
        ],
        "events": _events(publication, fan, str(months[0]["period"]) if months else ""),
    }


def _labels(periods: pd.Series) -> list[str]:
    return [f"{period:%Y-%m}" for period in periods]


def _events(publication: Publication, fan: Fan, first: str) -> list[dict[str, str]]:
    if not first:
        return []
    found, _ = pick_markers(
        publication.snapshot.ledger.events,
        destination=fan.destination,
        start=pd.Timestamp(f"{first}-01"),
        end=fan.forecast["period"].max() + pd.DateOffset(months=1),
        as_of=fan.as_of.tz_convert("UTC").tz_localize(None) if fan.as_of.tzinfo else fan.as_of,
    )
    return [
        {
            "day": f"{one.when:%Y-%m-%d}",
            "title": act_words(one.title),
            "state": one.state,
            "symbol": one.symbol,
            "address": f"/policy?q={one.event_id}",
        }
        for one in found
    ]


def chart_source(publication: Publication) -> str:
    """Return the address of each destination's numbers, with ``{}`` for its code."""
    return f"{home_of(publication.commodity)}/destinations/{{}}/explore.json"


def with_chart(answer: Response) -> Response:
    """Let a page run the scripts of this service and the chart's own."""
    return scripted(answer, CHART_CSP)


def plotly_reply(request: Request) -> Response:
    """Return Plotly's script, compressed for whoever takes it so."""
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return kept_for_good(request, answer_of(_plotly(), JAVASCRIPT))
    return kept_for_good(request, _plotly_compressed(), {"Content-Encoding": "gzip"})


def _plotly() -> bytes:
    """Read the script; Plotly itself is not imported."""
    found = find_spec("plotly")
    assert found is not None  # noqa: S101 - a dependency
    assert found.origin is not None  # noqa: S101 - a package with a file
    return (Path(found.origin).parent / "package_data" / "plotly.min.js").read_bytes()


@cache
def _plotly_compressed() -> Answer:
    return answer_of(gzip.compress(_plotly(), 9, mtime=0), JAVASCRIPT)


def chart_settings(publication: Publication, destination: str) -> dict[str, str]:
    """Return the attributes by which the script finds what it needs."""
    names = {code: name_of(code) for code in publication.destinations}
    return {
        "destination": destination,
        "source": chart_source(publication),
        "plotly": PLOTLY_ADDRESS,
        "names": json.dumps(names, ensure_ascii=False),
        "words": json.dumps({name: gettext(text) for name, text in WORDS.items()}),
        "script": SCRIPT_ADDRESS,
    }

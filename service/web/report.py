"""The report on a commodity: its pages saved as one that opens offline, the forecast as files."""

import base64
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import pandas as pd
from markupsafe import Markup

from service.charts.chart import COLOURS, DARK_COLOURS, Chart
from service.charts.stills import still
from service.language.choice import chosen
from service.language.formats import dated
from service.language.phrases import gettext
from service.live.publication import Publication
from service.queries.listings import suspicious
from service.queries.unknowns import unknowns
from service.web.forecast_pages import forecast_values
from service.web.page_charts import PageChart, chart_of
from service.web.record_pages import backtest_values
from service.web.render import block_of, template_of
from service.words import full_words_of, in_reading_order, name_of, rendered
from store.archive import DIGEST_LIST, write_sums
from store.errors import DataError
from store.messages import Message
from store.publications.basis import BASIS_COLUMNS, Basis
from store.vocabulary import AGGREGATES, FORECAST_COLUMNS

_PAGE: Final = "index.html"


def write_report(
    publication: Publication, folder: Path, *, notes: Sequence[Message] = (), pictures: bool = True
) -> Path:
    """Write the report and return the path of its page.

    Each file takes the place of an old one when all are made, the page last; other files in
    ``folder`` stay. The same input gives the same bytes.

    Args:
        notes: What is odd about the figures.

    Returns:
        The path of ``index.html``; beside it lie ``forecasts.csv``, ``scores.csv`` and, where
        months are estimated, ``destinations.csv``, how far each is published, and the digests of
        these files.
    """
    tables = {
        "forecasts": publication.latest[list(FORECAST_COLUMNS)],
        "scores": publication.published.scores.drop(columns="as_of"),
    }
    if bases := publication.bases:
        tables["destinations"] = _table_of(bases)
    page = render_page(publication, notes=notes, pictures=pictures)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as err:
        raise DataError(
            f"{folder} is a file. Expected a folder for the report. Choose another place."
        ) from err
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        for name, table in tables.items():
            table.to_csv(Path(scratch) / f"{name}.csv", index=False, lineterminator="\n")
        (Path(scratch) / _PAGE).write_text(page, encoding="utf-8")
        files = (*(f"{name}.csv" for name in tables), _PAGE)
        write_sums(Path(scratch), files)
        for name in (*files, DIGEST_LIST):
            (Path(scratch) / name).replace(folder / name)
    return folder / _PAGE


def _table_of(bases: Mapping[str, Basis]) -> pd.DataFrame:
    names = in_reading_order(bases)
    rows = pd.DataFrame([bases[name].record for name in names], columns=list(BASIS_COLUMNS))
    rows.insert(0, "destination", names)
    return rows


def render_page(
    publication: Publication, *, notes: Sequence[Message] = (), pictures: bool = True
) -> str:
    """Self-contained page: styles and pictures inside, nothing to load.

    Every section is that of a page of the service: the first page, those of the destinations, the
    backtest of the track record and the inconsistent figures.
    """

    def picture(chart: PageChart, width: int) -> str:
        return _picture(publication, chart, width)

    names = publication.destinations
    destinations = names if publication.bases else names[:1]

    def part(template: str, **values: object) -> str:
        still = picture if pictures else None
        return block_of(template, "main", publication, saved=True, still=still, **values)

    def forecast(name: str) -> str:
        values = forecast_values(publication, name, publication.as_of, has_all=name == names[0])
        return part("destination.html.j2", **values)

    parts = {name: (name_of(name), forecast(name)) for name in destinations}
    replayed = part("track.html.j2", **backtest_values(publication, names[0]))
    parts["backtest"] = gettext("Backtest"), replayed
    if publication.bases:
        figures = part("data.html.j2", suspicious=suspicious(publication))
        parts["figures"] = gettext("Inconsistent published figures"), figures
    return template_of("report.html.j2").render(
        publication=publication,
        page_language=chosen(),
        goods=full_words_of(publication.commodity, publication.published.labels),
        count=len(set(names) - set(AGGREGATES)),
        day=dated(publication.as_of, "long day"),
        parts=[
            (name, title, Markup(_saved(text, name, destinations)))  # noqa: S704 - of our templates
            for name, (title, text) in parts.items()
        ],
        unknowns=unknowns(publication),
        notes=[rendered(note) for note in notes],
        colours=COLOURS,
        dark_colours=DARK_COLOURS,
    )


def _picture(publication: Publication, page_chart: PageChart, width: int) -> str:
    """Picture of a chart as a data address, for light and dark pages."""
    chart = cast(
        "Chart", chart_of(publication, page_chart.kind, page_chart.path.rpartition("/")[2])
    )
    svg = still(chart.document, "svg", (COLOURS, DARK_COLOURS), width)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


_LINK: Final = re.compile(r'<a href="(/[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_ID: Final = re.compile(r'\b(id|aria-labelledby)="([^"]+)"')
_HEADING: Final = re.compile(r"(</?h)([1-4])")


def _saved(part: str, name: str, shown: Sequence[str]) -> str:
    """Part of a page as a section of the report, with unique ids and internal links."""

    def linked(link: re.Match[str]) -> str:
        code = link[1].rpartition("/")[2]
        return f'<a href="#{code}">{link[2]}</a>' if code in shown else link[2]

    part = _ID.sub(rf'\1="{name}-\2"', _LINK.sub(linked, part))
    deeper = int(name in shown)  # a page has a title of its own
    return _HEADING.sub(lambda heading: f"{heading[1]}{int(heading[2]) + deeper}", part)

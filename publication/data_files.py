"""The tables of a publication and of a site, as CSV and JSON, and their description.

A publication's files are those of its folder, described by one ``datapackage.json`` (Frictionless);
a site has them at stable addresses, with those of what became known later.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

import pandas as pd

from publication.language.phrases import marked
from publication.queries import freshness, listings, track
from publication.queries.destination_months import months_of, sums_of
from publication.queries.explanation_sentences import explanation
from publication.state import Publication
from publication.tables import (
    DESTINATION_ROW,
    EVENT_ROW,
    FIGURE_ROW,
    FILE_COLUMNS,
    HISTORY_ROW,
    PUBLICATION_ROW,
    SCORE_ROW,
    SUM_ROW,
    TARIFF_ROW,
    TRACK_ROW,
    VINTAGE_ROW,
    Columns,
    Record,
    columns,
    csv_text,
    flat_rows,
    json_text,
    records,
)
from publication.words import full_goods_name, name_of, slug_of
from store.publications.backtests import CELL_COLUMNS
from store.publications.explanations import Precedent, StoredExplanation
from store.vocabulary import CHANGES, CONTRIBUTIONS, QUANTILE_COLUMNS

_TONNES: Final = dict.fromkeys(
    (*QUANTILE_COLUMNS, "mean", "tonnes", "stderr_t", "residual_t", *CONTRIBUTIONS), "t"
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One table, written as CSV and as JSON."""

    name: str
    """Of its files, without their ending."""
    title: str
    """In English, marked for translation."""
    rows: Sequence[Mapping[str, Any]]
    columns: Columns
    key: Sequence[str]
    units: Mapping[str, str] = field(default_factory=lambda: _TONNES)
    """Unit by column; others have none."""

    @property
    def csv(self) -> str:
        return csv_text(self.rows, list(self.columns))


FORECAST_LICENCE: Final = {
    "name": "CC-BY-4.0",
    "title": "Creative Commons Attribution 4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
}
"""Of our forecasts; the figures behind them stay under the terms of their providers."""


def publication_files(publication: Publication) -> list[DataFile]:
    """Tables of the newest publication of a state: what is written once, with it."""
    explained = publication.published.explanation or StoredExplanation()
    documents = [
        publication.document_at(publication.as_of, code) for code in publication.destinations
    ]
    months = [row for code in publication.destinations for row in months_of(publication, code)]
    return [
        DataFile("forecasts", marked("Forecasts: median, mean and quantiles by month"),
                 [row for document in documents for row in flat_rows(document)],
                 columns(*FILE_COLUMNS), ("destination", "period")),
        DataFile("contributions", marked("Contributions: the parts of each median"),
                 list(_contributions(publication)),
                 columns("destination period p50", *CONTRIBUTIONS), ("destination", "period")),
        DataFile("changes", marked("Causes of change since the publication before"),
                 list(_changes(explained)),
                 columns("destination period since_publication", *CHANGES),
                 ("destination", "period"), dict.fromkeys(CHANGES, "t")),
        DataFile("panel", marked("Past months as of this publication, with their basis"), months,
                 HISTORY_ROW, ("destination", "period")),
        DataFile("destinations", marked("Destinations, and the basis of their past months"),
                 freshness.destinations(publication), DESTINATION_ROW, ("destination",)),
        DataFile("scores", marked("Scores of the backtest"),
                 _newest(listings.scores(publication)), SCORE_ROW,
                 ("model", "scope", "horizon_from", "horizon_to", "metric")),
        DataFile("backtest", marked("Forecasts of the backtest beside the figures"),
                 records(publication.published.cells), columns(*CELL_COLUMNS),
                 ("destination", "cutoff", "period")),
        DataFile("precedents", marked("Precedents of the policy response"),
                 list(_precedents(explained)),
                 columns(*(field.name for field in fields(Precedent))), ("event_id",)),
        DataFile("calendar", marked("Releases and dates that are due"),
                 list(_calendar(publication, explained)), columns("day what"), ("day", "what")),
    ]  # fmt: skip


def site_files(publication: Publication) -> list[DataFile]:
    """Tables of a commodity that change without a new publication."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    sums = [
        {"destination": code, **total.record}
        for code in publication.destinations
        for total in sums_of(publication, code)
    ]
    files = [
        DataFile("publications", marked("Publications"), listings.publications(publication),
                 PUBLICATION_ROW, ("publication",)),
        DataFile("sums", marked("Quarters and years, from joint paths"), sums,
                 {**columns("destination"), **SUM_ROW}, ("destination", "what")),
        DataFile("track-record", marked("Published forecasts beside the figures that followed"),
                 records(cells), TRACK_ROW, ("as_of", "destination", "period")),
        DataFile("figures", marked("Published figures"), listings.figures(publication), FIGURE_ROW,
                 ("destination", "measure", "period_from", "available_at", "source")),
        DataFile("vintages", marked("Ingests"), listings.vintages(publication), VINTAGE_ROW,
                 ("id",)),
    ]  # fmt: skip
    if not publication.home:  # the ledger is one for all commodities
        files += [
            DataFile("events", marked("Policy events"), listings.events(publication), EVENT_ROW,
                     ("event_id",)),
            DataFile("tariffs", marked("Tariff steps"), listings.tariffs(publication), TARIFF_ROW,
                     ("importer", "component", "product_scope", "effective_from")),
        ]  # fmt: skip
    return files


def destination_file(publication: Publication, destination: str) -> tuple[str, str]:
    """Forecast, history and causes of one destination as JSON, and its forecast as CSV."""
    document = publication.document_at(publication.as_of, destination)
    about = {
        **document,
        "publication": publication.number,
        "history": months_of(publication, destination),
        "explanation": explanation(publication, destination),
        "sums": [total.record for total in sums_of(publication, destination)],
    }
    return json_text(about), csv_text(flat_rows(document), FILE_COLUMNS)


def json_of(file: DataFile, publication: Publication) -> str:
    """Table as JSON, with what it is of."""
    return json_text(
        {
            "publication": publication.number,
            "as_of": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}",
            "commodity": publication.commodity,
            "rows": [{name: row[name] for name in file.columns} for row in file.rows],
        }
    )


def data_package(publication: Publication, files: Sequence[DataFile]) -> str:
    """Description of a publication's files. Source: Frictionless Data Package 1.0."""
    package = {
        "profile": "tabular-data-package",
        "name": f"magnetcast-{slug_of(publication.commodity)}-{publication.number}".lower(),
        "title": f"China's exports of {_goods(publication)}",
        "description": "Tonnes by month of customs clearance in China and destination.",
        "version": str(publication.number),
        "created": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "licenses": [FORECAST_LICENCE],
        "sources": [
            {"title": "China Customs (GACC)", "path": "http://www.customs.gov.cn"},
            {"title": "The source of each figure is in figures.csv of the site"},
        ],
        "resources": [_resource(file) for file in files],
    }
    return json.dumps(package, ensure_ascii=False, indent=1)


def _goods(publication: Publication) -> str:
    return full_goods_name(publication.commodity, publication.published.labels)


def _resource(file: DataFile) -> Record:
    return {
        "profile": "tabular-data-resource",
        "name": file.name,
        "path": f"{file.name}.csv",
        "title": file.title,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {
            "fields": [_field(file, name) for name in file.columns],
            "primaryKey": list(file.key),
            "missingValues": [""],
        },
    }


def _field(file: DataFile, name: str) -> Record:
    values = [row[name] for row in file.rows if row[name] is not None]
    kind = "string"
    if values and all(isinstance(value, bool) for value in values):
        kind = "boolean"
    elif values and all(isinstance(value, int) for value in values):
        kind = "integer"
    elif values and all(isinstance(value, int | float) for value in values):
        kind = "number"
    texts = {"unit": file.units.get(name), "description": file.columns[name]}
    return {"name": name, "type": kind, **{key: text for key, text in texts.items() if text}}


def schema_dataset(publication: Publication, base_url: str) -> str:
    """Description of the series for search engines. Source: schema.org Dataset."""
    rows, folder = publication.latest, f"{base_url}/{publication.folder}" if base_url else ""
    about = {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": f"China's exports of {_goods(publication)}: forecast",
        "description": "Monthly forecasts in tonnes by destination, with their bands, the figures "
        "behind them and the causes of each number.",
        "dateModified": f"{publication.as_of:%Y-%m-%d}",
        "temporalCoverage": f"{rows['period'].min()}/{rows['period'].max()}",
        "license": FORECAST_LICENCE["path"],
        "creator": {"@type": "Organization", "name": "magnetcast"},
        "variableMeasured": "exports in tonnes",
        "spatialCoverage": [name_of(code) for code in publication.destinations],
        "distribution": [
            {"@type": "DataDownload", "encodingFormat": "text/csv",
             "contentUrl": f"{folder}forecasts.csv"},
        ],
    }  # fmt: skip
    return json.dumps(about, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")


XLSX_OPTIONS: Final = {
    "in_memory": True,
    # Text from data stays text.
    "strings_to_formulas": False,
    "strings_to_urls": False,
}
_WIDTH: Final = 12
_SHEETS: Final = {"forecasts": "Forecast", "panel": "History", "contributions": "Drivers"}
_MONTHS: Final = ("period", "cutoff")
_MOMENTS: Final = ("as_of", "available_at")
"""Columns that are dates in a spreadsheet."""


def workbook(publication: Publication, files: Sequence[DataFile]) -> bytes:
    """Forecasts, past months and parts of all destinations as a spreadsheet.

    No text in it is read as a formula or a link. The same publication gives the same bytes.
    """
    document = publication.document_at(publication.as_of, publication.destinations[0])
    names = ("commodity", "unit", "as_of", "cutoff", "model", "status", "data_vintage")
    buffer = io.BytesIO()
    with pd.ExcelWriter(
        buffer, engine="xlsxwriter", date_format="yyyy-mm", datetime_format="yyyy-mm-dd hh:mm",
        engine_kwargs={"options": XLSX_OPTIONS},
    ) as writer:  # fmt: skip
        created = publication.as_of.to_pydatetime().replace(tzinfo=None)
        writer.book.set_properties({"created": created})
        for file in files:
            if file.name in _SHEETS:
                table = _dated(pd.DataFrame(list(file.rows), columns=list(file.columns)))
                table.to_excel(
                    writer, sheet_name=_SHEETS[file.name], index=False, freeze_panes=(1, 0)
                )
                writer.sheets[_SHEETS[file.name]].set_column(0, len(file.columns) - 1, _WIDTH)
        about = pd.DataFrame([{"what": name, "value": document[name]} for name in names])
        about.to_excel(writer, sheet_name="About", index=False)
    return buffer.getvalue()


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    for column in {*_MONTHS, *_MOMENTS} & {*table.columns}:
        moments = pd.to_datetime(table[column]).dt.tz_localize(None)
        table[column] = moments.dt.date if column in _MONTHS else moments
    return table


def _newest(scores: list[Record]) -> list[Record]:
    return [row for row in scores if row["as_of"] == scores[0]["as_of"]]


def _contributions(publication: Publication) -> Iterator[Record]:
    for row in publication.latest.sort_values(["destination", "period"]).to_dict("records"):
        stored = row["contributions"]
        parts = json.loads(stored) if isinstance(stored, str) and stored else {}
        about = {name: row[name] for name in ("destination", "period")}
        yield {**about, "p50": round(row["p50"], 3), **{n: parts.get(n) for n in CONTRIBUTIONS}}


def _changes(explained: StoredExplanation) -> Iterator[Record]:
    for destination, months in explained.changes.items():
        for period, causes in months.items():
            about = {"destination": destination, "period": period}
            parts = {name: causes.get(name, 0.0) for name in CHANGES}
            yield {**about, "since_publication": explained.since, **parts}


def _precedents(explained: StoredExplanation) -> Iterator[Record]:
    for past in explained.precedents:
        yield {**asdict(past), "retained": json.dumps(dict(past.retained))}


def _calendar(publication: Publication, explained: StoredExplanation) -> Iterator[Record]:
    """Yield the days that were ahead of a publication: releases and announced acts."""
    if publication.published.calendar is not None:
        releases = freshness.releases_ahead(publication, now=publication.as_of)
        for day, months in releases.items():
            yield {"day": f"{day:%Y-%m-%d}", "what": f"China's figures of {months}"}
    for act in explained.announced:
        yield {"day": act.due, "what": act.event_id or f"tariff increase in {act.importer}"}

"""Tables as files: plain records, CSV and JSON, the columns of each; a forecast as a document.

A column whose name says it holds nothing more to say: its words are empty.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import Coverage, coverage_of
from publication.words import name_of
from store.publications.integrity import NUMBERS
from store.publications.panels import BASIS_COLUMNS, Basis
from store.vocabulary import FORECAST_COLUMNS, PANEL_COLUMNS, QUANTILE_COLUMNS

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠")  # noqa: RUF001
"""A spreadsheet reads a text that begins with one of these as a formula, full-width ones in Asia.
Source: OWASP, CSV injection."""

GRAMS: Final = 6
"""Decimals of tonnes in files."""

Record = dict[str, Any]


def json_text(value: object) -> str:
    """Value as JSON; NaN raises ValueError."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Rows as CSV in which no text is read as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else harmless(row[name]) for name in columns])
    return buffer.getvalue()


def harmless(value: object) -> object:
    """Cell for a spreadsheet; a text that looks like a formula gets a quote in front."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def records(frame: pd.DataFrame) -> list[Record]:
    """Rows as plain values: days and UTC moments as ISO text, missing values as None."""
    plain = pd.DataFrame({name: _plain(frame[name]) for name in frame.columns}, dtype=object)
    rows: list[Record] = plain.to_dict("records")  # type: ignore[assignment]  # names are text
    return rows


def _plain(column: pd.Series) -> pd.Series:
    missing = column.isna()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    elif pd.api.types.is_datetime64_dtype(column):
        column = column.dt.strftime("%Y-%m-%d")
    elif pd.api.types.is_float_dtype(column):
        column = column.round(GRAMS)
    return pd.Series(column.astype(object).mask(missing, None), dtype=object)


Columns = Mapping[str, str]


def columns(*names: str, **meanings: str) -> Columns:
    """Columns, several in a text between spaces, with the words of those that need them."""
    return {**dict.fromkeys(" ".join(names).split(), ""), **meanings}


_WORLD_CUTOFF: Final = "Last month of the world; that of each stands in destinations."

PUBLICATION_ROW: Final = columns(
    "publication as_of published_at afterwards cutoff first_period last_period destinations models "
    "statuses data_vintage",
    publication="Its number.",
    published_at="When it was published, or its run ended; missing where neither is recorded.",
    afterwards="Published more than a week after as_of, with a method that may be newer.",
    cutoff=_WORLD_CUTOFF,
)
"""A published forecast, the newest of its moment; its rows are never changed."""

COMMODITY_ROW: Final = columns(
    "commodity label as_of cutoff first_period last_period months destinations status",
    label="Empty where none is known.",
    cutoff=_WORLD_CUTOFF,
)
"""A commodity with published forecasts, and the newest of them."""

HISTORY_ROW: Final = columns(
    *PANEL_COLUMNS, stderr_t="Standard error in t.", kind="observed, derived or estimated"
)
"""One past month as known at a published forecast."""

DESTINATION_ROW: Final = columns(
    "destination name",
    *BASIS_COLUMNS,
    published_to="Last month published; missing where none ever was.",
    published_share="Share of the twelve months that were published.",
    derived_share="Share that follows from other figures.",
    estimate_error="Half of the 80% range of an estimated month as a share of it.",
    usual_t="Usual month: the median of the 36 before the year, by the year's first publication.",
)
"""To which month a destination is published, and how its last twelve months are known.

The twelve months end with the cutoff, the last month that a figure of the world covers.
"""

FIGURE_ROW: Final = columns(
    "destination measure period_from period_to value unit half_width kind available_at source "
    "source_url usable vintage",
    half_width="Half of the rounding step.",
    vintage="Ingest that added it.",
)
"""One published figure; a revision is one more row."""

SUM_ROW: Final = columns(
    "what first last past_months published_months",
    *QUANTILE_COLUMNS,
    "year_before chance_below",
    past_months="Months of it up to the cutoff, and later ones that are published.",
    published_months="Of these, those whose figure is published.",
    chance_below="Chance to stay below the year before; 0.05 means at most, 0.95 at least that.",
)
"""Some months of destinations taken together, from joint simulated paths; tonnes."""

SCORE_ROW: Final = columns(
    "as_of model scope horizon_from horizon_to metric value cells", scope="A destination, or ALL."
)
"""One score of a backtest."""

TRACK_ROW: Final = columns(
    "as_of destination period horizon lead model status",
    *QUANTILE_COLUMNS,
    "tonnes seasonal_naive last_value error inside80 pinball frozen_ahead",
    lead="Months from that of the forecast; at 0 and below it was already over.",
    frozen_ahead="Published, with a digest, before the figure; others are not part of the track "
    "record.",
)
"""A published month beside the actual figure; tonnes."""

EVENT_ROW: Final = columns(
    "event_id announced_on effective_from effective_to suspended_from suspended_to issuer "
    "instrument direction severity destinations products summary legal_reference source_urls "
    "confidence evidence note available_at",
    source_urls="Joined by ';'.",
)
"""The newest version of a policy event."""

TARIFF_ROW: Final = columns(
    "importer origin component product_scope rate_pct announced_on effective_from effective_to "
    "legal_reference source_url confidence note available_at"
)
"""The newest version of a tariff step."""

VINTAGE_ROW: Final = columns(
    "id ingested_at source file_name asked rows period_from period_to actor sha256"
)
"""One ingest of one file."""

KILOGRAMS: Final = 3
"""Decimals of tonnes."""

FILE_COLUMNS: Final = ("as_of", *FORECAST_COLUMNS, *BASIS_COLUMNS)


def forecast_document(
    rows: pd.DataFrame,
    destination: str,
    meanings: Mapping[str, str],
    scores: pd.DataFrame,
    basis: Basis | None,
) -> Record:
    """Forecast of one destination, in tonnes a month, from the forecasts of one moment.

    ``basis`` is that of its past months, None without a panel.
    """
    months = rows.loc[rows["destination"] == destination].sort_values("period")
    first = months.iloc[0]
    status = "; ".join(dict.fromkeys(months["status"].astype(str)))
    return {
        "destination": destination,
        "name": name_of(destination),
        "commodity": str(first["commodity"]),
        "unit": "t",
        "as_of": f"{first['as_of']:%Y-%m-%dT%H:%M:%SZ}",
        "cutoff": str(first["cutoff"]),
        "model": str(first["model"]),
        "status": status,
        "reason": "; ".join(dict.fromkeys(months["reason"].dropna().astype(str))),
        "data_vintage": str(first["data_vintage"]),
        "basis": basis and basis.record,
        "coverage": [_coverage(group) for group in coverage_of(scores, destination, status)],
        "months": [_month(row, meanings) for row in months.to_dict("records")],
    }


def flat_rows(document: Record) -> list[Record]:
    """Document as the rows of a forecast file, one a month: ``FILE_COLUMNS``."""
    about = {name: document[name] for name in ("as_of", "destination", "cutoff")}
    return [
        {
            **about,
            **{n: v for n, v in month.items() if n != "drivers"},
            "model": document["model"],
            **(document["basis"] or dict.fromkeys(BASIS_COLUMNS)),
        }
        for month in document["months"]
    ]


def _coverage(group: Coverage) -> Record:
    fields = asdict(group)
    edges = {f"horizon_{end}": fields.pop(f"lead_{end}") for end in ("from", "to")}
    shares = {
        name: None if math.isnan(fields[name]) else round(fields[name], 4)
        for name in ("share", "pooled_share")
    }
    return {**edges, **fields, **shares, "words": group.words}


def _month(row: Mapping[object, object], meanings: Mapping[str, str]) -> Record:
    drivers = row["drivers"]
    named = json.loads(drivers) if isinstance(drivers, str) and drivers else []
    return {
        "period": str(row["period"]),
        "horizon": int(str(row["horizon"])),
        **{name: round(float(str(row[name])), KILOGRAMS) for name in NUMBERS},
        "status": str(row["status"]),
        "drivers": [
            {"name": name, "meaning": meanings.get(name, name), "tonnes": float(tonnes)}
            for name, tonnes in named
        ],
    }

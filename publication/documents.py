"""Documents of published forecasts, one a destination."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import pandas as pd

from models.evaluation.scores import Coverage, coverage_of
from publication.tables import Record, records
from publication.words import name_of
from store.publications.integrity import NUMBERS
from store.publications.panels import BASIS_COLUMNS, Basis
from store.vocabulary import FORECAST_COLUMNS

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


def by_months(rivals: pd.DataFrame) -> dict[str, list[Record]]:
    """Forecasts by others by month, ``YYYY-MM``."""
    months: dict[str, list[Record]] = {}
    rows = rivals.assign(period=rivals["period"].dt.strftime("%Y-%m"))
    for row in records(rows[["period", "name", "source", "made_on", "tonnes"]]):
        months.setdefault(row.pop("period"), []).append(row)
    return months


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

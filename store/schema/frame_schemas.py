"""Schemas of every frame that crosses a boundary, and the one function that checks them."""

from collections.abc import Sequence
from typing import Any, Final, get_args

import pandas as pd
from pandera.errors import SchemaErrors
from pandera.pandas import Check, Column, DataFrameSchema
from sqlalchemy import Column as TableColumn
from sqlalchemy import Table

from store.errors import DataError, first_few
from store.schema import database_tables as tables
from store.schema import frames
from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE, dtype_of
from store.vocabulary import (
    INSTRUMENTS,
    MEASURES,
    MONTH_PATTERN,
    QUANTILE_COLUMNS,
    UNITS,
    Direction,
)


def _text(*checks: Check, filled: bool = False) -> Column:
    """Make a text column, never missing; ``filled`` also refuses empty text."""
    extra = [Check.str_length(min_value=1)] if filled else []
    return Column(str, [*checks, *extra], coerce=True)


def _one_of(values: Sequence[str]) -> Column:
    return Column(str, Check.isin(values), coerce=True)


def _is_utc(series: pd.Series) -> bool:
    return isinstance(series.dtype, pd.DatetimeTZDtype) and str(series.dtype.tz) == "UTC"


def _day(*, open_ended: bool = False) -> Column:
    return Column(DATE_DTYPE, coerce=True, nullable=open_ended, metadata={"as": DATE_DTYPE})


def _finite(low: float = float("-inf")) -> Column:
    bounds = Check(lambda s: s.abs() < float("inf"), error="is not finite")
    return Column(float, [bounds, Check.ge(low)], coerce=True)


def _not_after(first: str, last: str) -> Check:
    return Check(
        lambda f: ~(f[last] < f[first]), error=f"{last} is before {first}", ignore_na=False
    )


def _of_measure(measures: Sequence[str], name: str, low: float, high: float) -> Check:
    return Check(
        lambda f: ~f["measure"].isin(measures) | f["value"].between(low, high),
        error=f"{name} lies outside {low:g}..{high:g}",
    )


def _of_table(
    table: Table, *, filled: Sequence[str] = (), checks: list[Check], **rules: Column
) -> DataFrameSchema:
    columns = {
        column.name: rules.get(column.name) or _by_type(column, filled=column.name in filled)
        for column in tables.source_columns(table)
    }
    return DataFrameSchema(columns, checks=checks)


def _by_type(column: "TableColumn[Any]", *, filled: bool) -> Column:
    match dtype_of(column):
        case "str":
            return _text(filled=filled)
        case "float64":
            return _finite()
        case "bool":
            return Column(bool)
        case frames.MOMENT_DTYPE:
            # Not coerced, because a naive moment would pass as UTC.
            is_utc = Check(_is_utc, error="is not a column of UTC moments")
            return Column(None, is_utc, metadata={"as": MOMENT_DTYPE})
        case _:
            return _day(open_ended=bool(column.nullable))


_EVENT: Final = {
    "instrument": _one_of(INSTRUMENTS),
    "direction": _one_of(get_args(Direction)),
    "severity": Column(int, Check.in_range(0, 3), coerce=True),
    "covered_share": Column(float, Check.in_range(0, 1), nullable=True, coerce=True),
}

_ACT_CHECKS: Final = [
    _not_after("effective_from", "effective_to"),
    Check(
        lambda f: ~(f["available_at"].dt.tz_localize(None) < f["announced_on"]),
        error="known before it was announced",
    ),
]

_EVENT_CHECKS: Final = [*_ACT_CHECKS, _not_after("suspended_from", "suspended_to")]

_QUANTILES: Final = list(QUANTILE_COLUMNS)

_LOWER_BOUNDED: Final = [m for m in MEASURES if m not in {"yoy_pct", "mom_pct", "lead_min_t"}]

SCHEMAS: Final[dict[str, DataFrameSchema]] = {
    "observations": _of_table(
        tables.observations,
        filled=("commodity", "origin", "destination"),
        measure=_one_of(MEASURES),
        unit=_one_of(sorted(set(UNITS.values()))),
        half_width=_finite(0),
        kind=_one_of(("reported", "derived")),
        checks=[
            _not_after("period_from", "period_to"),
            _of_measure(_LOWER_BOUNDED, "a level or share", 0.0, float("inf")),
            _of_measure(("yoy_pct", "mom_pct"), "a growth rate", -100.0, float("inf")),
            Check(
                lambda f: f["period_from"].dt.day.eq(1) & f["period_to"].dt.day.eq(1),
                error="a period is not given by the first days of its months",
            ),
        ],
    ),
    "policy_events": _of_table(
        tables.policy_events, filled=("event_id", "destinations"), checks=_EVENT_CHECKS, **_EVENT
    ),
    "analog_events": _of_table(
        tables.analog_events,
        filled=("event_id", "destinations", "material"),
        checks=_EVENT_CHECKS,
        **_EVENT,
    ),
    "tariff_steps": _of_table(
        tables.tariff_steps,
        filled=("importer", "origin", "component", "product_scope"),
        rate_pct=Column(float, Check.in_range(0, 1000), nullable=True, coerce=True),
        checks=_ACT_CHECKS,
    ),
    "proposals": DataFrameSchema(
        {
            "source": _text(filled=True),
            "item_key": _text(filled=True),
            "title": _text(),
            "url": _text(),
            "published_on": _day(open_ended=True),
            "payload": _text(),
        },
        unique=["source", "item_key"],
    ),
    "release_calendar": _of_table(
        tables.release_calendar,
        what=_one_of(("headline", "detail", "supplement")),
        checks=[_not_after("period_from", "period_to"), _not_after("period_to", "released_on")],
    ),
    "forecasts": DataFrameSchema(
        {
            "destination": _text(filled=True),
            "cutoff": _text(Check.str_matches(MONTH_PATTERN)),
            "period": _text(Check.str_matches(MONTH_PATTERN)),
            "horizon": Column(int, Check.ge(1), coerce=True),
            **{name: _finite(0) for name in (*_QUANTILES, "mean")},
            "model": _text(filled=True),
            "status": _text(filled=True),
        },
        checks=[
            Check(
                lambda f: (f[_QUANTILES].diff(axis=1).iloc[:, 1:] >= 0).all(axis=1),
                error="quantiles cross",
            ),
            Check(lambda f: f["period"] > f["cutoff"], error="period is not after the cutoff"),
        ],
        unique=["destination", "period", "model"],
    ),
}
"""By table or contract: observations, policy_events, analog_events, tariff_steps,
proposals (for the review queue), release_calendar, forecasts (published)."""


def validate(frame: pd.DataFrame, name: str, *, where: str) -> pd.DataFrame:
    """A copy of the frame with its columns typed by a schema of ``SCHEMAS``; other columns stay."""
    try:
        checked = SCHEMAS[name].validate(frame, lazy=True)
    except SchemaErrors as err:
        broken = list(dict.fromkeys(map(_sentence, err.failure_cases.to_dict("records"))))
        raise DataError(
            f"Rows break the {name} contract in {where}: {first_few(broken)}. "
            f"Expected columns {', '.join(SCHEMAS[name].columns)}, each within its bounds. "
            "Correct these rows at their source; nothing was stored."
        ) from err
    # Pandera coerces to nanoseconds whatever unit the schema names.
    times = {c: has.metadata["as"] for c, has in SCHEMAS[name].columns.items() if has.metadata}
    return checked.astype(times)


def _sentence(case: dict[Any, Any]) -> str:
    if case["check"] == "column_in_dataframe":
        return f"column {case['failure_case']!r} is missing"
    row = "" if pd.isna(case["index"]) else f"row {case['index']}: "
    if case["schema_context"] == "DataFrameSchema":
        return f"{row}{case['check']}"
    return f"{row}column {case['column']!r} is {case['failure_case']!r} ({case['check']})"

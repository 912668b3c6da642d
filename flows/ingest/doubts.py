"""Doubts about new figures: their own forecast's band, and what else they change.

Named at ingest, and the next publication is held for them.
"""

import pandas as pd
from sqlalchemy import Engine

from features.panel.estimation import side_effects
from features.panel.statements import evidence_figures
from models.forecasting.plausibility import outside_bands
from store.asof import OBSERVATION_KEY, known_at
from store.errors import SHOWN
from store.facts.commodities import MEASURE, read_evidence, under_china_code
from store.facts.reading import read_bands
from store.messages import Message, few, message, sentences


def doubts_about_ingests(engine: Engine, *, as_of: pd.Timestamp, since: int) -> Message | None:
    """Figures of the ingests after ``since`` that a person must look at, in words; None if none."""
    earlier, every = (read_evidence(engine, as_of=as_of, until=until) for until in (since, None))
    new = pd.concat([every, earlier]).drop_duplicates(keep=False)
    doubts = (_far_from_forecast(engine, new, as_of), _moving_others(earlier, new, as_of))
    messages = tuple(doubt for doubt in doubts if doubt)
    return sentences(*messages) if messages else None


def _far_from_forecast(engine: Engine, new: pd.DataFrame, as_of: pd.Timestamp) -> Message | None:
    """Single months whose newest forecast all but excluded the figure."""
    figures = evidence_figures(known_at(new, key=OBSERVATION_KEY, as_of=as_of))
    is_month = figures["measure"].eq(MEASURE) & figures["period_from"].eq(figures["period_to"])
    months = figures.loc[is_month & under_china_code(figures)]
    periods = months["period_from"].dt.date.unique().tolist()
    outside = outside_bands(months, read_bands(engine, as_of=as_of, periods=periods))
    if outside.empty:
        return None
    named = tuple(
        message(
            "%(destination)s %(month)s %(tonnes)s t (%(low)s to %(high)s)",
            destination=str(row.destination),
            month=f"{row.period_from:%Y-%m}",
            tonnes=f"{row.value:,.0f}",
            low=f"{row.low:,.0f}",
            high=f"{row.high:,.0f}",
        )
        for row in outside.head(SHOWN).itertuples()
    )
    return message(
        "New figures lie outside the 99.9%% band of their own forecast: %(figures)s.", figures=named
    )


def _moving_others(earlier: pd.DataFrame, new: pd.DataFrame, as_of: pd.Timestamp) -> Message | None:
    """Months that the figures say nothing about and move beyond their 80% band."""
    effects = side_effects(earlier, new, as_of=as_of)
    if not effects:
        return None
    named = sorted({f"{row.destination} {row.period_from:%Y-%m}" for row in new.itertuples()})
    moves = tuple(
        message(
            "%(destination)s %(month)s %(before)s to %(after)s t (%(low)s to %(high)s)",
            destination=effect.destination,
            month=effect.month,
            before=f"{effect.before:,.0f}",
            after=f"{effect.after:,.0f}",
            low=f"{effect.low:,.0f}",
            high=f"{effect.high:,.0f}",
        )
        for effect in effects[:SHOWN]
    )
    return message(
        "New figures (%(figures)s) push months they do not cover outside their 80%% band: "
        "%(moves)s.",
        figures=few(named),
        moves=moves,
    )

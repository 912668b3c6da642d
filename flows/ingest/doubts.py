"""Doubts about new figures: the band of their own month, and what else they change.

Named at ingest and by its dry run, and the next publication is held for them.
"""

import pandas as pd
from sqlalchemy import Engine

from features.panel.estimation import evidence_panel, side_effects, with_rests
from features.panel.statements import evidence_figures
from models.forecasting.plausibility import outside_bands, panel_bands
from store.asof import OBSERVATION_KEY, known_at
from store.errors import SHOWN
from store.facts.commodities import MEASURE, read_evidence, under_china_code
from store.facts.reading import read_bands
from store.messages import Message, few, message, sentences
from store.months import month_number


def doubts_about_ingests(engine: Engine, *, as_of: pd.Timestamp, since: int) -> Message | None:
    """Figures of the ingests after ``since`` that a person must look at, in words; None if none."""
    earlier, every = (read_evidence(engine, as_of=as_of, until=until) for until in (since, None))
    new = pd.concat([every, earlier]).drop_duplicates(keep=False)
    return doubts_about(new, earlier, engine, as_of=as_of)


def doubts_about(
    new: pd.DataFrame, earlier: pd.DataFrame, engine: Engine | None, *, as_of: pd.Timestamp
) -> Message | None:
    """Figures that a person must look at beside those known earlier, in words; None if none."""
    doubts = (_far_from_bands(new, earlier, engine, as_of), _moving_others(earlier, new, as_of))
    messages = tuple(doubt for doubt in doubts if doubt)
    return sentences(*messages) if messages else None


def outside_own_bands(
    figures: pd.DataFrame, earlier: pd.DataFrame, engine: Engine | None, *, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Single months, and rests of complete lists, that their 99.9% band all but excludes.

    It is that of the newest forecast, and of the panel of earlier figures where none was published.

    Args:
        figures: Observations, one version of each; not modified.
        earlier: Observations without them (store contract); not modified.
        engine: Where forecasts are published; None before there is a store.

    Returns:
        As ``models.forecasting.plausibility.outside_bands``.
    """
    levels = evidence_figures(figures[under_china_code(figures)])
    is_month = levels["measure"].eq(MEASURE) & levels["period_from"].eq(levels["period_to"])
    months = with_rests(levels.loc[is_month])
    bands = []
    if len(months) and len(evidence_figures(earlier[under_china_code(earlier)])):
        reach = month_number(months["period_from"].max())
        bands.append(panel_bands(evidence_panel(earlier, as_of=as_of, reach=reach)))
    if engine is not None:
        periods = months["period_from"].dt.date.unique().tolist()
        bands.append(read_bands(engine, as_of=as_of, periods=periods))
    return outside_bands(months, pd.concat(bands)) if bands else months.iloc[:0]


def _far_from_bands(
    new: pd.DataFrame, earlier: pd.DataFrame, engine: Engine | None, as_of: pd.Timestamp
) -> Message | None:
    """Single months that their own band all but excludes."""
    figures = known_at(new, key=OBSERVATION_KEY, as_of=as_of)
    outside = outside_own_bands(figures, earlier, engine, as_of=as_of)
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
        "New figures lie outside the 99.9%% band of what was expected: %(figures)s.", figures=named
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

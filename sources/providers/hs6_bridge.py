"""From the value of all metal magnets (HS6 850511) to that of rare-earth magnets (85051110).

The one place where the two codes meet. It carries value only, by a share learned from months in
which both are told. Weight is never carried over: other metal magnets are cheap and heavy, so
their share of the weight is another one, and nobody tells it.
"""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from store.errors import DataError, first_few
from store.vocabulary import COMMODITY, HS6, WORLD

VALUE: Final = "value_musd"
"""The measure that is carried over."""

FEWEST: Final = 6
"""Months with both values that a share needs."""

BAND: Final = (0.05, 0.95)
"""Quantiles of the months' shares that make the band."""

SLACK: Final = 1.02
"""A part may exceed its whole by rounding, not by more."""

_CELL: Final = ["origin", "destination", "period_from", "period_to"]


@dataclass(frozen=True, slots=True)
class Bridge:
    """The share of rare-earth magnets in the value of metal magnets, by destination."""

    shares: pd.DataFrame
    """Indexed by destination (``WLD`` for all others): ``share, low, high, months``."""
    known_at: pd.Timestamp
    """When the last of the figures learned from was known; no bridge exists before."""


def learn(known: pd.DataFrame) -> Bridge:
    """Learn the shares from months whose value is known under both codes.

    Args:
        known: observations, one version a cell, as of the moment one stands at; not modified.

    Raises:
        DataError: there is nothing to learn from, or a part is greater than its whole.
    """
    rows = known[known["measure"].eq(VALUE) & known["usable"]]
    whole, part = (rows[rows["commodity"].eq(code)] for code in (HS6, COMMODITY))
    columns = [*_CELL, "value", "available_at"]
    both = whole[columns].merge(part[columns], on=_CELL, suffixes=("", "_part"))
    both = both[both["value"] > 0]
    if len(both) < FEWEST:
        raise DataError(
            f"Only {len(both)} months have the value of both {HS6} and {COMMODITY} in the rows at "
            f"hand. Expected at least {FEWEST} to learn a share from. Ingest both, e.g. comtrade "
            "and a customs download of the same months; weight cannot be carried over at all."
        )
    both = both.assign(share=both["value_part"] / both["value"])
    _refuse_greater(both)
    moments = both[["available_at", "available_at_part"]].max(axis=1)
    shares = _banded(both)
    shares = shares[shares["months"] >= FEWEST]
    pooled = _banded(both.assign(destination=WORLD))
    table = shares if WORLD in shares.index else pd.concat([shares, pooled])
    return Bridge(table, moments.max())


def carry_over(values: pd.DataFrame, bridge: Bridge) -> pd.DataFrame:
    """Return the value of rare-earth magnets for rows of HS6 value, as derived observations.

    Each is known when both its row and the bridge are; its half-width is half the band.

    Args:
        values: observations of commodity 850511 and measure ``value_musd``; not modified.
        bridge: what was learned.

    Raises:
        DataError: a row is no HS6 value, above all a weight.
    """
    wrong = values[~(values["commodity"].eq(HS6) & values["measure"].eq(VALUE))]
    if len(wrong):
        named = sorted(
            {f"{c} {m}" for c, m in zip(wrong["commodity"], wrong["measure"], strict=True)}
        )
        raise DataError(
            f"{first_few(named)} cannot be carried over to {COMMODITY} in {len(wrong)} of "
            f"{len(values)} rows. Expected {HS6} {VALUE} only: weight has another, unknown share. "
            "Leave these rows out."
        )
    places = values["destination"].where(values["destination"].isin(bridge.shares.index), WORLD)
    told = bridge.shares.loc[places].set_axis(values.index)
    half = values["value"] * (told["high"] - told["low"]) / 2 + values["half_width"]
    known_at = values["available_at"]
    share = told["share"].map("{:.3f}".format)
    return values.assign(
        commodity=COMMODITY,
        value=values["value"] * told["share"],
        half_width=half,
        kind="derived",
        available_at=known_at.where(known_at >= bridge.known_at, bridge.known_at),
        note="= " + HS6 + " value x " + share + ", share learned where both codes are told",
    )


def _banded(both: pd.DataFrame) -> pd.DataFrame:
    """Return median, band and count of the shares by destination."""
    shares = both.groupby("destination")["share"]
    low, high = (shares.quantile(q) for q in BAND)
    return pd.DataFrame(
        {"share": shares.median(), "low": low, "high": high, "months": shares.size()}
    )


def _refuse_greater(both: pd.DataFrame) -> None:
    """Refuse months in which rare-earth magnets are worth more than all metal magnets."""
    wrong = both[both["share"] > SLACK]
    if len(wrong):
        named = [f"{row.destination} {row.period_from:%Y-%m}" for row in wrong.itertuples()]
        raise DataError(
            f"{COMMODITY} is worth more than {HS6}, which holds it, in {len(wrong)} months: "
            f"{first_few(sorted(named))}. Expected a share up to 1. Look whether one of them is in "
            "another currency or unit; nothing was learned."
        )

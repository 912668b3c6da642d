"""What a report is made from."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class ReportInput:
    """Published tables of one ``as_of``, ready to be shown; nothing in here is modified.

    Attributes:
        as_of: UTC moment the forecast stands at.
        cutoff: Last month the evidence knows, ``YYYY-MM``.
        forecasts: ``FORECAST_COLUMNS``; optionally ``drivers`` (JSON list of ``[name, tonnes]``)
            and ``band_hit_rate`` (share of past months inside the 80 % band, 0..1).
        panel: ``PANEL_COLUMNS``, history of all destinations and aggregates.
        events: Newest known version of each policy event at ``as_of``.
        scores: ``model, scope, horizon_from, horizon_to, metric, value, cells``; scope is a
            destination or ``ALL``; ``wape``, ``coverage80`` and ``value_added`` are shares.
        suspicious: ``statement, residual_t, z, source_url``, figures the rest contradicts.
        unknowns: Plain sentences on what the forecast could not know.
        model_version: The model that made the forecasts.
        data_vintage: Hash of the rows the forecasts rest on.
        pictures: Whether it is drawn, or holds the numbers alone.
    """

    as_of: pd.Timestamp
    cutoff: str
    forecasts: pd.DataFrame
    panel: pd.DataFrame
    events: pd.DataFrame
    scores: pd.DataFrame
    suspicious: pd.DataFrame
    unknowns: list[str]
    model_version: str
    data_vintage: str
    pictures: bool = True

    @property
    def as_of_date(self) -> pd.Timestamp:
        """Return ``as_of`` without its zone, to compare with the naive dates of the tables."""
        return self.as_of.tz_convert("UTC").tz_localize(None)

    @property
    def cutoff_end(self) -> pd.Timestamp:
        """Return the first moment after the cutoff month."""
        return pd.Timestamp(f"{self.cutoff}-01") + pd.DateOffset(months=1)

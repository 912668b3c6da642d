"""The past as a sequence of forecast origins, each with what was known then.

Training and backtest use it.
"""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from features.controls.analogs import Analog, analogs_at
from features.origin import Origin, origin_of
from features.panel.evidence import evidence_panel
from features.panel.evidence_panel import EvidencePanel

FIRST_TRAINING: Final = "2019-06-25"
"""First past origin: the first release of detail by destination in the bundled figures."""

RELEASE_DAY: Final = 25
"""Day of the month of past origins: the detail of the previous month is published."""


class EvidenceHistory:
    """Past evidence panels, each solved from what was published by then."""

    def __init__(
        self,
        observations: pd.DataFrame,
        events: pd.DataFrame,
        tariffs: pd.DataFrame,
        analog_events: pd.DataFrame | None = None,
    ) -> None:
        """Take the facts of all times.

        Args:
            observations: Published figures, all versions (store contract); not modified.
            events: Policy events, all versions; not modified.
            tariffs: Tariff steps, all versions; not modified.
            analog_events: Controls on other minerals, all versions; without them there is no
                response to controls not yet observed.
        """
        self._analog_events = analog_events
        self._observations = observations
        self._events = events
        self._tariffs = tariffs
        self._panels: dict[pd.Timestamp, EvidencePanel] = {}
        self._origins: dict[pd.Timestamp, Origin] = {}

    def panel(self, moment: pd.Timestamp) -> EvidencePanel:
        """Return the evidence panel at a moment; solved once.

        Raises:
            DataError: The moment is too early, or nothing is known.
        """
        if moment not in self._panels:
            self._panels[moment] = evidence_panel(self._observations, as_of=moment)
        return self._panels[moment]

    def keep(self, panel: EvidencePanel) -> None:
        """Take a panel that was solved from these very facts before, so that it is not again."""
        self._panels[panel.as_of] = panel

    def gaps(self, moment: pd.Timestamp) -> pd.DataFrame:
        """Return partner imports beside exports at a moment, ``mirror.GAP_COLUMNS``.

        Solved for: no stored panel holds them.
        """
        return evidence_panel(self._observations, as_of=moment).gaps

    def origin(self, moment: pd.Timestamp) -> Origin:
        """Return the origin at a moment; made once."""
        if moment not in self._origins:
            self._origins[moment] = origin_of(
                self.panel(moment), events=self._events, tariffs=self._tariffs
            )
        return self._origins[moment]

    def analogs(self, moment: pd.Timestamp) -> tuple[Analog, ...]:
        """Return what was known at a moment of controls on other minerals."""
        if self._analog_events is None:
            return ()
        return analogs_at(self._analog_events, self._observations, as_of=moment)

    def past(self, moment: pd.Timestamp) -> Sequence[Origin]:
        """Return one origin a month before a moment, oldest first."""
        return [self.origin(earlier) for earlier in release_moments(FIRST_TRAINING, moment)]


def release_moments(start: str, before: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the 25th of each month from ``start`` on and before a moment (UTC)."""
    first = pd.Timestamp(start, tz="UTC").replace(day=RELEASE_DAY)
    months = pd.date_range(first, before, freq=pd.DateOffset(months=1))
    return [moment for moment in months if moment < before]

"""The past as a sequence of forecast origins, each with what was known then.

Training and backtest use it. Panels are cached by the rows known at each moment, the
parameters and the version of the code (docs/adr/0046-kept-origins.md).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache, partial
from importlib.metadata import version
from typing import Final

import pandas as pd

from features.controls.analogs import Analog, analogs_at
from features.origin import Origin, origin_of
from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import EvidencePanel
from features.panel.system import PRIOR, PanelPrior
from features.track_record import TrackRecord
from store.asof import require_time_zone
from store.digest_cache import NOTHING_KEPT, DigestCache, Values
from store.months import last_complete_month
from store.settings import PROJECT_ROOT

FIRST_TRAINING: Final = "2019-06-25"
"""First past origin: the first release of detail by destination in the bundled figures."""

_RELEASE_DAY: Final = 25
"""Day of the month of past origins: the detail of the previous month is published."""

ROOMS: Final = ("store", "features", "models")
"""Folders of the code that computes."""

PACKAGES: Final = ("lightgbm", "numpy", "pandas", "scipy", "scikit-learn")
"""Packages whose version may change a forecast."""

PanelSolver = Callable[[Callable[[pd.Timestamp], Values], Sequence[pd.Timestamp]], Iterable[Values]]
"""Does work on each of several moments and returns what was found, in their order."""


class FactDigests:
    """All versions of one kind of fact, digested as they were known at any moment."""

    def __init__(self, rows: pd.DataFrame) -> None:
        """Take rows with a UTC ``available_at``; not modified."""
        self._available_at = rows["available_at"]
        self._columns = "\n".join(map(str, rows))
        self._hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()

    def digest(self, as_of: pd.Timestamp) -> str:
        """Return the SHA-256 of the rows known at a moment, in their order.

        Raises:
            LeakError: ``as_of`` has no time zone.
        """
        require_time_zone(as_of)
        known = self._hashes[self._available_at <= as_of].tobytes()
        return hashlib.sha256(self._columns.encode() + known).hexdigest()


@cache
def code_version() -> str:
    """Return a digest of our source that computes, and of the versions of the packages it uses."""
    paths = (path for room in ROOMS for path in sorted((PROJECT_ROOT / room).rglob("*.py")))
    versions = "\n".join(version(name) for name in PACKAGES)
    source = b"".join(path.read_bytes() for path in paths)
    return hashlib.sha256(versions.encode() + source).hexdigest()


class EvidenceHistory:
    """Past evidence panels, each solved from what was published by then."""

    def __init__(
        self,
        observations: pd.DataFrame,
        events: pd.DataFrame,
        tariffs: pd.DataFrame,
        analog_events: pd.DataFrame | None = None,
        *,
        cache: DigestCache = NOTHING_KEPT,
        prior: PanelPrior = PRIOR,
    ) -> None:
        """Take the facts of all times.

        Args:
            observations: Published figures, all versions (store contract); not modified.
            events: Policy events, all versions; not modified.
            tariffs: Tariff steps, all versions; not modified.
            cache: Where what is computed of past moments is kept.
            prior: Of the panels' months that no figure fixes.
        """
        self.cache = cache
        self._prior = prior
        self._analog_events = analog_events
        self._observations = observations
        self._indices = observations.loc[observations["measure"].eq("index")]
        self._events = events
        self._tariffs = tariffs
        kinds = {
            "observations": observations,
            "events": events,
            "tariffs": tariffs,
            "analog_events": analog_events,
        }
        self._facts = {name: FactDigests(rows) for name, rows in kinds.items() if rows is not None}
        self._panels: dict[pd.Timestamp, EvidencePanel] = {}
        self._origins: dict[pd.Timestamp, Origin] = {}
        self._analogs: dict[pd.Timestamp, tuple[Analog, ...]] = {}

    def key(
        self,
        moment: pd.Timestamp,
        what: str,
        *more: object,
        of: Sequence[str],
        when: object = None,
    ) -> str:
        """Return the cache key of what is computed at a moment.

        Args:
            when: What of the moment counts beside these facts; all of it if left out.
        """
        facts = {name: rows.digest(moment) for name, rows in self._facts.items() if name in of}
        parts = (when or moment.isoformat(), facts, what, repr(self._prior), code_version(), *more)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def panel(self, moment: pd.Timestamp) -> EvidencePanel:
        """Return the evidence panel at a moment, without its gaps; solved once."""
        if moment not in self._panels:
            key = self._panel_key(moment)
            kept = self.cache.fetch(key, lambda: _solved(self._observations, self._prior, moment))
            self._panels[moment] = EvidencePanel(as_of=moment, **kept)
        return self._panels[moment]

    def _panel_key(self, moment: pd.Timestamp) -> str:
        month = last_complete_month(moment)
        return self.key(moment, "panel", of=["observations"], when=month)

    def solve(self, moments: Sequence[pd.Timestamp], solved: PanelSolver) -> None:
        """Have the panels of several moments at hand.

        Args:
            solved: Solves those that are not kept, wherever that may be.
        """
        missing = {
            moment: key
            for moment in moments
            if moment not in self._panels and not self.cache.holds(key := self._panel_key(moment))
        }
        found = solved(partial(_solved, self._observations, self._prior), list(missing))
        for (moment, key), values in zip(missing.items(), found, strict=True):
            kept = self.cache.fetch(key, partial(dict, values))
            self._panels[moment] = EvidencePanel(as_of=moment, **kept)

    def add_panel(self, panel: EvidencePanel) -> None:
        """Take a panel that was solved from these very facts before, so that it is not again."""
        self._panels[panel.as_of] = panel

    def gaps(self, moment: pd.Timestamp) -> pd.DataFrame:
        """Return partner imports beside exports at a moment, ``mirror.GAP_COLUMNS``.

        Solved for: no kept panel holds them.
        """
        return evidence_panel(self._observations, as_of=moment, prior=self._prior).gaps

    def origin(self, moment: pd.Timestamp) -> Origin:
        """Return the origin at a moment; made once."""
        if moment not in self._origins:
            self._origins[moment] = origin_of(
                self.panel(moment),
                events=self._events,
                tariffs=self._tariffs,
                record=self.record(moment),
                indices=self._indices,
            )
        return self._origins[moment]

    def record(self, moment: pd.Timestamp) -> TrackRecord:
        """Return how announced acts, on magnets and other minerals, turned out by a moment."""
        others = self._analog_events
        acts = (self._events,) if others is None else (self._events, others)
        return TrackRecord(moment, acts, self._tariffs)

    def analogs(self, moment: pd.Timestamp) -> tuple[Analog, ...]:
        """Return what was known at a moment of controls on other minerals."""
        if self._analog_events is None:
            return ()
        if moment not in self._analogs:
            self._analogs[moment] = analogs_at(
                self._analog_events, self._observations, as_of=moment
            )
        return self._analogs[moment]

    def past(self, moment: pd.Timestamp) -> Sequence[Origin]:
        """Return one origin a month before a moment, oldest first."""
        return [self.origin(earlier) for earlier in training_moments(moment)]


def _solved(observations: pd.DataFrame, prior: PanelPrior, moment: pd.Timestamp) -> Values:
    panel = evidence_panel(observations, as_of=moment, prior=prior)
    kept = {one.name for one in fields(panel)} - {"as_of", "gaps"}
    return {name: getattr(panel, name) for name in sorted(kept)}


def training_moments(moment: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the past origins that a model trained at a moment learns from."""
    return release_moments(FIRST_TRAINING, moment)


def release_moments(start: str, before: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the 25th of each month from ``start`` on and before the day of a moment (UTC)."""
    first, day = pd.Timestamp(start, tz="UTC").replace(day=_RELEASE_DAY), before.normalize()
    months = pd.date_range(first, day, freq=pd.DateOffset(months=1))
    return [moment for moment in months if moment < day]

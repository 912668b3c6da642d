"""Past forecast origins of the evidence panel, each from the rows available then.

Panels are cached by these rows, the parameters and the version of the code
(docs/adr/0036-one-forecaster-protocol.md).
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
"""Day of the month of past origins, when the detail of the previous month is published."""

ROOMS: Final = ("store", "features", "models")
"""Folders of the code that forecasts depend on."""

PACKAGES: Final = ("lightgbm", "numpy", "pandas", "scipy", "scikit-learn")
"""Packages whose version may change a forecast."""

PanelSolver = Callable[[Callable[[pd.Timestamp], Values], Sequence[pd.Timestamp]], Iterable[Values]]
"""Applies a function to several moments, perhaps in other processes; results in their order."""


class FactDigests:
    """Digests of the rows of a table of facts that were available at any moment."""

    def __init__(self, rows: pd.DataFrame) -> None:
        """Take rows with a UTC ``available_at``; not modified."""
        self._available_at = rows["available_at"]
        self._columns = "\n".join(map(str, rows))
        self._hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()

    def digest(self, as_of: pd.Timestamp) -> str:
        """SHA-256 of the rows available at a moment, in their order.

        Raises:
            LeakError: ``as_of`` has no time zone.
        """
        require_time_zone(as_of)
        known_hashes = self._hashes[self._available_at <= as_of].tobytes()
        return hashlib.sha256(self._columns.encode() + known_hashes).hexdigest()


@cache
def code_version() -> str:
    """Digest of the source code and package versions that forecasts depend on."""
    paths = (path for room in ROOMS for path in sorted((PROJECT_ROOT / room).rglob("*.py")))
    versions = "\n".join(version(name) for name in PACKAGES)
    source = b"".join(path.read_bytes() for path in paths)
    return hashlib.sha256(versions.encode() + source).hexdigest()


class EvidenceHistory:
    """Evidence panels of past moments, each solved from the figures published by then."""

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
            cache: Cache of results for past moments.
            prior: Prior of months that no figure fixes.
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
        computation: str,
        *parameters: object,
        fact_names: Sequence[str],
        moment_key: object = None,
    ) -> str:
        """Cache key of a computation at a moment.

        Args:
            moment_key: Part of the moment that the result depends on; the moment if left out.
        """
        digests = {
            name: self._facts[name].digest(moment) for name in fact_names if name in self._facts
        }
        at, prior = moment_key or moment.isoformat(), repr(self._prior)
        parts = (at, digests, computation, prior, code_version(), *parameters)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def panel(self, moment: pd.Timestamp) -> EvidencePanel:
        """Evidence panel at a moment, solved once."""
        if moment not in self._panels:
            key = self._panel_key(moment)
            cached = self.cache.fetch(key, lambda: _solved(self._observations, self._prior, moment))
            self._panels[moment] = EvidencePanel(as_of=moment, **cached)
        return self._panels[moment]

    def _panel_key(self, moment: pd.Timestamp) -> str:
        month = last_complete_month(moment)
        return self.key(moment, "panel", fact_names=["observations"], moment_key=month)

    def solve(self, moments: Sequence[pd.Timestamp], solver: PanelSolver) -> None:
        """Solve the panels of several moments ahead of their use.

        Args:
            solver: Solves those that are not cached.
        """
        missing = {
            moment: key
            for moment in moments
            if moment not in self._panels and not self.cache.holds(key := self._panel_key(moment))
        }
        panels = solver(partial(_solved, self._observations, self._prior), list(missing))
        for (moment, key), values in zip(missing.items(), panels, strict=True):
            cached = self.cache.fetch(key, partial(dict, values))
            self._panels[moment] = EvidencePanel(as_of=moment, **cached)

    def add_panel(self, panel: EvidencePanel) -> None:
        """Add a panel solved from the same facts, so that it is not solved again."""
        self._panels[panel.as_of] = panel

    def origin(self, moment: pd.Timestamp) -> Origin:
        """Origin at a moment, built once."""
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
        """Track record, at a moment, of acts on magnets and other minerals."""
        other_events = self._analog_events
        acts = (self._events,) if other_events is None else (self._events, other_events)
        return TrackRecord(moment, acts, self._tariffs)

    def analogs(self, moment: pd.Timestamp) -> tuple[Analog, ...]:
        """Analogs at a moment: controls on other minerals."""
        if self._analog_events is None:
            return ()
        if moment not in self._analogs:
            self._analogs[moment] = analogs_at(
                self._analog_events, self._observations, as_of=moment
            )
        return self._analogs[moment]

    def past(self, moment: pd.Timestamp) -> Sequence[Origin]:
        """Monthly origins before a moment, oldest first."""
        return [self.origin(earlier) for earlier in training_moments(moment)]


def _solved(observations: pd.DataFrame, prior: PanelPrior, moment: pd.Timestamp) -> Values:
    panel = evidence_panel(observations, as_of=moment, prior=prior)
    names = {column.name for column in fields(panel)} - {"as_of"}
    return {name: getattr(panel, name) for name in sorted(names)}


def training_moments(moment: pd.Timestamp) -> list[pd.Timestamp]:
    """Past origins that a model trained at a moment learns from."""
    return release_moments(FIRST_TRAINING, moment)


def release_moments(start: str, before: pd.Timestamp) -> list[pd.Timestamp]:
    """The 25th of each month from ``start`` on and before the day of a moment (UTC)."""
    first, day = pd.Timestamp(start, tz="UTC").replace(day=_RELEASE_DAY), before.normalize()
    months = pd.date_range(first, day, freq=pd.DateOffset(months=1))
    return [moment for moment in months if moment < day]

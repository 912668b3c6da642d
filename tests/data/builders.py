"""Builders of small worlds of published facts, small panels and what a later day may add."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

import numpy as np
import pandas as pd

from features.build import frame_of
from features.evidence_history import EvidenceHistory
from features.origin import Origin, bare_origin
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import MAGNETS_PRESET
from sources.bundled.all_tables import load_bundled
from store.months import month_number
from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE
from store.settings import PROJECT_ROOT
from tests.data.store_builders import make_observations

QUICK: Final = replace(MAGNETS_PRESET, num_iterations=12, min_data_in_leaf=20, threads=1)
"""A model of a few small trees on one thread."""

SHARES: Final = {
    "USA": 0.13, "DEU": 0.17, "JPN": 0.06, "KOR": 0.08, "VNM": 0.07,
    "IND": 0.05, "THA": 0.05, "ITA": 0.03, "EU27_REST": 0.11, "ROW": 0.25,
}  # fmt: skip
SEASON: Final = (0.02, -0.12, 0.03, 0.0, 0.02, 0.0, 0.04, 0.05, 0.03, -0.03, 0.0, 0.02)

EVENT_DATES: Final = (
    "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
)  # fmt: skip
TARIFF_DATES: Final = ("announced_on", "effective_from", "effective_to")


def at(day: str) -> pd.Timestamp:
    """Return the first moment of a day, UTC."""
    return pd.Timestamp(day, tz="UTC")


def make_events(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one version of a policy event per change, known from its announcement unless given."""
    template: dict[str, object] = {
        "event_id": "2018-09-control", "announced_on": "2018-09-04",
        "effective_from": "2018-09-04", "effective_to": None, "suspended_from": None,
        "suspended_to": None, "issuer": "CN-MOFCOM", "instrument": "export_control",
        "legal_reference": "No. 1", "direction": "restrictive", "severity": 3,
        "destinations": "WLD", "products": "magnets", "covers": "magnets",
        "covered_share": 1.0, "covered_because": "named", "exempt": "", "summary": "Licences.",
        "source_urls": "https://example.org/act", "confidence": "high", "evidence": "primary",
        "note": "",
    }  # fmt: skip
    frame = pd.DataFrame([{"available_at": None, **template, **c} for c in changes or ({},)])
    return _dated(frame, EVENT_DATES)


def make_tariffs(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one version of a tariff step per change, known from its announcement unless given."""
    template: dict[str, object] = {
        "importer": "USA", "origin": "CHN", "component": "MFN", "product_scope": "HTS 8505.11.00",
        "rate_pct": 2.1, "effective_from": "2016-01-01", "effective_to": None,
        "announced_on": "2015-12-01", "legal_reference": "HTS",
        "source_url": "https://example.org/hts", "confidence": "high", "note": "",
    }  # fmt: skip
    frame = pd.DataFrame([{"available_at": None, **template, **c} for c in changes or ({},)])
    return _dated(frame, TARIFF_DATES)


def _dated(frame: pd.DataFrame, dates: tuple[str, ...]) -> pd.DataFrame:
    known = frame["available_at"].fillna(frame["announced_on"])
    moments = pd.to_datetime(known, utc=True).astype(MOMENT_DTYPE)
    days = {name: pd.to_datetime(frame[name]).astype(DATE_DTYPE) for name in dates}
    return frame.assign(available_at=moments, **days)


def compare_at(
    forecaster: EvidenceForecaster, history: EvidenceHistory, *moments: pd.Timestamp
) -> list[pd.DataFrame]:
    """Return the forecasts of all models at some moments, one after the other."""
    snapshots = [Snapshot.of_evidence(history, moment) for moment in moments]
    return [forecaster.fit(one).compare() for one in snapshots]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Facts of all times, as the store would hand them out."""

    observations: pd.DataFrame
    events: pd.DataFrame
    tariffs: pd.DataFrame
    analog_events: pd.DataFrame | None = None

    def history(self) -> EvidenceHistory:
        """Return the past of these facts, the same one each time: what it solved stays solved."""
        return _history_of(self)

    def unsolved(self) -> EvidenceHistory:
        """Return a past of these facts that shares nothing with another."""
        return EvidenceHistory(self.observations, self.events, self.tariffs, self.analog_events)


@lru_cache(maxsize=8)
def _history_of(world: World) -> EvidenceHistory:
    return world.unsolved()


@cache
def bundled_world() -> World:
    """Return the bundled facts; not to be modified."""
    batch = load_bundled(PROJECT_ROOT / "data")
    names = ("observations", "policy_events", "tariff_steps", "analog_events")
    return World(*(batch.frame(name) for name in names))


@cache
def make_world(*, last: str = "2021-03") -> World:
    """Build a world in which the level of every month is published for all but ROW."""
    return World(make_levels(last=last), _world_events(), _world_tariffs())


def make_levels(*, first: str = "2016-01", last: str = "2021-03") -> pd.DataFrame:
    """Build levels in whole tonnes for the world and all destinations but ROW.

    They come out on the 20th of the month after, January and February together in March.
    """
    months = pd.period_range(first, last, freq="M")
    tonnes = true_tonnes(months)
    rows = [
        {
            "destination": name,
            "period_from": month.start_time,
            "period_to": month.start_time,
            "value": float(value),
            "available_at": _released(month),
        }
        for name in (*(d for d in SHARES if d != "ROW"), "WLD")
        for month, value in zip(months, tonnes[name], strict=True)
    ]
    return make_observations(*rows)


def true_tonnes(months: pd.PeriodIndex) -> dict[str, np.ndarray]:
    """Return whole tonnes by destination and for the world; a month's do not depend on others."""
    number = np.array([month_number(str(month)) for month in months])
    age = number - month_number("2016-01")
    world = 2_400 * 1.01**age * np.exp([SEASON[n % 12] for n in number])
    found = {}
    for place, (name, share) in enumerate(SHARES.items()):
        wave = 0.15 * np.sin(age / 7.0 + 2.0 * place) + 0.06 * np.sin(age * (1.7 + 0.3 * place))
        found[name] = np.round(share * world * np.exp(wave))
    found["WLD"] = sum(found.values())
    return found


def _released(month: pd.Period) -> pd.Timestamp:
    later = month + (2 if month.month == 1 else 1)
    return (later.start_time + pd.Timedelta(days=19)).tz_localize("UTC")


def _world_events() -> pd.DataFrame:
    relaxed = {
        "event_id": "2020-02-relaxed", "announced_on": "2020-02-10", "effective_from": "2020-02-10",
        "instrument": "export_licence_relaxation", "direction": "easing",
    }  # fmt: skip
    scheduled = {
        "event_id": "sched-2021", "announced_on": "2019-01-01", "effective_from": "2021-01-01",
        "evidence": "scheduled", "severity": 3,
    }  # fmt: skip
    suspended = {
        "available_at": "2020-08-01", "suspended_from": "2020-08-01", "suspended_to": "2021-07-31",
    }  # fmt: skip
    return make_events({}, suspended, relaxed, scheduled)


def _world_tariffs() -> pd.DataFrame:
    flat = [{"importer": name} for name in ("EU27", "JPN", "KOR", "VNM", "IND", "THA", "ROW")]
    step = {
        "component": "S301", "rate_pct": 25.0, "effective_from": "2019-09-01",
        "announced_on": "2019-05-10",
    }  # fmt: skip
    end = {**step, "available_at": "2020-11-05", "effective_to": "2021-01-31"}
    return make_tariffs({}, *flat, step, end)


def make_table(*, months: int = 60, series: int = 4, start: str = "2018-01") -> pd.DataFrame:
    """Build a full table of seasonal series, one row a series, one column a month number."""
    numbers = month_number(start) + np.arange(months)
    age = np.arange(months)
    rows = {
        f"S{i}": np.round(
            (i + 1)
            * 100.0
            * np.exp(0.2 * np.sin(age * np.pi / 6 + i) + 0.1 * np.sin(age * (i + 1))),
            1,
        )
        for i in range(series)
    }
    return pd.DataFrame(rows, index=pd.Index(numbers, name="number")).T.rename_axis("destination")


def make_bare(
    rows: Mapping[str, list[float]], *, start: str = "2020-01", horizon: int = 3
) -> Origin:
    """Build the origin of literal series that add up to nothing, without tariffs or events."""
    tonnes = np.array(list(rows.values()), dtype=float)
    bare = bare_origin(tonnes, month_number(start), horizon, tuple(rows))
    return replace(bare, groups=tuple(np.array([row]) for row in range(len(rows))))


def make_origin(
    *,
    events: pd.DataFrame | None = None,
    tariffs: pd.DataFrame | None = None,
    cutoff: str = "2020-06",
    tonnes: Mapping[str, float] | None = None,
) -> Origin:
    """Build an origin of the published series with a flat history, literal events and tariffs."""
    world = make_world(last="2019-06").history().origin(at("2019-07-25"))
    months = 48
    level = dict.fromkeys(SHARES, 100.0) | dict(tonnes or {})
    level |= {"WLD": sum(level[d] for d in SHARES)}
    level |= {"EU27": level["DEU"] + level["ITA"] + level["EU27_REST"]}
    values = np.repeat(np.array([level[name] for name in world.series])[:, None], months, axis=1)
    last = month_number(cutoff)
    return replace(
        world,
        first=last - months + 1,
        cutoff=last,
        targets=np.arange(last + 1, last + 13),
        late_months=0,
        tonnes=values,
        stderr=np.zeros_like(values),
        is_observed=np.ones_like(values, dtype=bool),
        events=make_events({"direction": "neutral"}) if events is None else events,
        tariffs=make_tariffs().iloc[:0] if tariffs is None else tariffs,
        record=None,
    )


def only_known(world: World, as_of: pd.Timestamp) -> World:
    """Return the world without any row published after ``as_of``."""
    return World(*(_known(frame, as_of) for frame in _frames(world)))


def _frames(world: World) -> list[pd.DataFrame]:
    frames = (world.observations, world.events, world.tariffs, world.analog_events)
    return [frame for frame in frames if frame is not None]


def _known(frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    return frame.loc[frame["available_at"] <= as_of].reset_index(drop=True)


def poisoned(world: World, as_of: pd.Timestamp) -> World:
    """Return the world with wild values and dates in every row published after ``as_of``."""
    return World(*(_poisoned(frame, as_of) for frame in _frames(world)))


def _poisoned(frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    later = frame["available_at"] > as_of
    changed = frame.copy()
    wild = np.where(np.arange(len(frame)) % 2 == 0, -1e9, 1e9)
    for name in ("value", "rate_pct", "half_width"):
        if name in frame:
            changed[name] = frame[name].where(~later, wild)
    if "severity" in frame:
        changed["severity"] = frame["severity"].where(~later, 99)
    for name in frame.columns.intersection(["period_from", "period_to", *EVENT_DATES]):
        changed[name] = frame[name].where(~later, frame[name] - pd.DateOffset(months=7))
    return changed


def revised(world: World, as_of: pd.Timestamp) -> World:
    """Return the world with a contradicting version of every known row a second after ``as_of``."""
    return World(*(_revised(frame, as_of) for frame in _frames(world)))


def misjudged(world: World, as_of: pd.Timestamp) -> World:  # noqa: ARG001 - the form of a change
    """Return the world with every ``severity``, a label of hindsight, turned about."""
    return World(
        *(
            frame.assign(severity=3 - frame["severity"]) if "severity" in frame else frame
            for frame in _frames(world)
        )
    )


def _revised(frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    known = _known(frame, as_of)
    later = known.assign(available_at=as_of + pd.Timedelta(seconds=1)).astype(
        {"available_at": MOMENT_DTYPE}
    )
    wild = _poisoned(later, as_of)
    for name in wild.columns.intersection(["period_from", "period_to", "effective_from"]):
        wild[name] = later[name]  # the same key, so that the newest version is the wild one
    return pd.concat([frame, wild], ignore_index=True)


def frame_at(
    observations: pd.DataFrame, events: pd.DataFrame, tariffs: pd.DataFrame, *, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return the model frame of the evidence panel at one moment."""
    return frame_of(EvidenceHistory(observations, events, tariffs).origin(as_of))

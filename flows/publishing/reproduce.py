"""An old publication made again from the facts and models it was made from, bit for bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Engine

from flows.context.console import echo
from flows.context.provenance import environment
from flows.context.recipes import prior_behind, spec_behind
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.publishing.published_forecasts import (
    NUMBERS,
    Which,
    facts_until,
    numbered,
    record_of,
)
from flows.publishing.reproduce_forecasts import (
    MissingModelError,
    reproduce_evidence,
    reproduce_table,
)
from flows.publishing.run_config import config_of
from store.errors import DataError, first_few
from store.facts.evidence import EvidenceDigests, evidence_digests
from store.facts.reading import latest_forecast, read_forecasts
from store.publications.integrity import recorded_digest
from store.settings import Settings
from store.vocabulary import COMMODITY

Floats = NDArray[np.float64]


ROUNDING: Final = 1e-12
"""Share, or tonnes, by which numbers may differ where arithmetic rounds otherwise."""

ARITHMETIC: Final = ("packages", "platform", "processor")
"""Parts of an environment that decide how arithmetic rounds."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of making a publication again."""

    as_of: pd.Timestamp
    rows: pd.DataFrame = field(repr=False)
    """As published: columns of ``store.facts.reading.read_forecasts``."""
    again: pd.DataFrame | None = field(repr=False)
    """The same rows with the numbers made again; None where something is gone that makes them."""
    missing: tuple[str, ...]
    """What it was made from and is no more."""
    changed: tuple[str, ...]
    """What it ran on and is different now."""
    rounds_otherwise: bool = False
    """It ran on another processor, system or version of a package, or on what is not recorded."""

    @property
    def difference(self) -> str:
        """Say how far the numbers are apart; empty if every bit is the same."""
        if self.again is None:
            return "nothing could be made"
        then, now = (_numbers(table) for table in (self.rows, self.again))
        apart = then.view(np.int64) != now.view(np.int64)
        if not apart.any():
            return ""
        row, column = np.unravel_index(int(np.abs(then - now).argmax()), then.shape)
        cell = self.rows.iloc[int(row)]
        return (
            f"{int(apart.sum())} of {apart.size} numbers differ, most of all "
            f"{NUMBERS[int(column)]} of {cell['destination']} in {cell['period']}: "
            f"{float(then[row, column])!r} published, {float(now[row, column])!r} now"
        )

    @property
    def is_rounded(self) -> bool:
        """Tell whether nothing but the last digits differs, where arithmetic rounds otherwise."""
        if self.missing or self.again is None or not self.rounds_otherwise:
            return False
        then, now = (_numbers(table) for table in (self.rows, self.again))
        return bool(np.allclose(then, now, rtol=ROUNDING, atol=ROUNDING))

    @property
    def is_same(self) -> bool:
        """Tell whether it is the publication bit for bit, from just what that was made from."""
        return not self.missing and not self.difference


def reproduce(settings: Settings, which: Which, commodity: str = COMMODITY) -> Reproduction:
    """Make a publication again.

    Args:
        settings: Where things are kept.
        which: Its number, or its as_of or the day of it (UTC): the last of that day.
        commodity: What it is a forecast of, as published.

    Raises:
        DataError: There is no such publication.
    """
    engine = store_of(settings)
    rows = (
        numbered(engine, which, commodity=commodity)
        if isinstance(which, int)
        else _published(engine, which, commodity)
    )
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    kept = recorded_digest(engine, int(rows["publication"].iloc[0]))
    made_with = record_of(engine, rows)
    missing = list(kept.wrong) if kept else []
    changed = (
        _changed(made_with) if made_with else ["what it was frozen as and ran on was not recorded"]
    )
    try:
        if config_of(commodity).forecaster == "evidence":
            until = facts_until(engine, rows)
            now = evidence_digests(engine, as_of=as_of, until=until)
            missing.extend(_facts_apart(made_with, now, str(rows["data_vintage"].iloc[0])))
            spec, prior = spec_behind(made_with), prior_behind(made_with)
            workspace = open_workspace(settings, as_of, until=until, spec=spec, prior=prior)
            again = reproduce_evidence(workspace, rows)
        else:
            again = reproduce_table(settings, rows, made_with)
    except MissingModelError as err:
        return Reproduction(as_of, rows, None, (*missing, *err.things), tuple(changed))
    here = environment()
    otherwise = any(made_with.get(part) != here[part] for part in ARITHMETIC)
    return Reproduction(as_of, rows, again, tuple(missing), tuple(changed), otherwise)


def tell(found: Reproduction) -> None:
    """Say what came of it."""
    number = found.rows["publication"].iloc[0]
    named = f", publication {number}" if number else ""
    echo(f"replay    {len(found.rows)} rows as of {found.as_of:%Y-%m-%d %H:%M} UTC{named}")
    for thing in found.missing:
        echo(f"missing   {thing}")
    for thing in found.changed:
        echo(f"changed   {thing}")
    if found.is_same:
        echo("replay    every number is the same, bit for bit")
    elif found.is_rounded:
        echo(
            "replay    every number is the same but for rounding on another processor or by other "
            f"versions: {found.difference}"
        )
    else:
        echo(f"replay    NOT reproduced: {found.difference or 'the numbers are the same'}")


def _published(engine: Engine, moment: pd.Timestamp, commodity: str) -> pd.DataFrame:
    """Return the newest rows of a day, up to a moment."""
    rows = read_forecasts(engine, commodity=commodity)
    moments = rows["as_of"].drop_duplicates()
    day = moments[(moments >= moment.normalize()) & (moments <= moment)]
    if day.empty:
        near = (moments - moment).abs().sort_values(kind="stable").index
        known = [f"{moments[place]:%Y-%m-%dT%H:%M:%SZ}" for place in near]
        raise DataError(
            f"Nothing of {commodity} was published as of {moment:%Y-%m-%d %H:%M} UTC. Expected one "
            f"of: {first_few(known) or 'none, as nothing was published'}. Take one of those."
        )
    return latest_forecast(engine, as_of=day.max(), commodity=commodity)


def _facts_apart(made_with: Mapping[str, object], now: EvidenceDigests, wanted: str) -> list[str]:
    if now.digest == wanted:
        return []
    recorded = made_with.get("evidence")
    if not isinstance(recorded, dict):
        return [f"the facts: their digest was {wanted[:12]} and is {now.digest[:12]}"]
    names = sorted({*recorded, *now.tables})
    return [
        f"the facts of {name}: {recorded.get(name, 'no rows')} then, "
        f"{now.tables.get(name, 'no rows')} now"
        for name in names
        if recorded.get(name) != now.tables.get(name)
    ]


def _changed(made_with: Mapping[str, object]) -> list[str]:
    """Return what differs between the machine of then and this one."""
    now, found = environment(), []
    for part in ("code", "packages", "platform", "processor", "threads"):
        before, after = made_with.get(part), now[part]
        if not isinstance(before, dict) or not isinstance(after, dict):
            before, after = {part: before}, {part: after}
        found += [
            f"{name} was {before.get(name) or 'not set'} and is {after.get(name) or 'not set'}"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
    return found


def _numbers(table: pd.DataFrame) -> Floats:
    # Without the sign of a zero, which SQLite does not keep.
    return np.ascontiguousarray(table[NUMBERS].to_numpy(dtype=np.float64) + 0.0)

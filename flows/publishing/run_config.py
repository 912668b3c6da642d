"""Which forecast a run makes and where it publishes it, and who shares its model."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from sources.files.commodities import Commodity
from store.settings import Settings
from store.vocabulary import BY_PARTNER, COMMODITY, figures_of

Forecaster = Literal["evidence", "table"]
"""``evidence`` is the champion of the registry on the evidence panel, with its fallback chain;
``table`` is the panel engine on full partner tables, trained anew by each run."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One forecast that is made and published."""

    published_as: str
    """Key of its forecasts, scores and runs in the store."""
    commodity: str
    """Whose figures it is made from."""
    forecaster: Forecaster
    group: str = ""
    """Configurations of one group share a model; without one it has its own."""
    materials: tuple[str, ...] = ()
    """What export controls on it are called after; looked at in a group alone."""
    label: str = ""
    """What the commodity is called; empty where nobody said."""

    @property
    def is_main(self) -> bool:
        """Tell whether it is the main job, whose name needs not be said."""
        return self == MAGNETS

    @property
    def flow(self) -> str:
        """Return the name under which its runs are kept."""
        return "run" if self.forecaster == "evidence" else "run-table"

    @property
    def prefix(self) -> str:
        """Return how messages about it begin."""
        return "" if self.is_main else f"{self.published_as}: "

    def dated(self, as_of: pd.Timestamp) -> str:
        """Return the name of its publication as of a day."""
        day = f"{as_of:%Y-%m-%d}"
        return day if self.is_main else f"{day}-{self.published_as}"

    def report_folder(self, settings: Settings, as_of: pd.Timestamp, place: int = 1) -> Path:
        """Return where its report as of a day lies.

        Args:
            settings: Where things are kept.
            as_of: The moment of the publication.
            place: 1 for the first publication of that day, 2 for the second.
        """
        name = self.dated(as_of)
        return settings.reports_dir / (name if place == 1 else f"{name}.{place}")


MAGNETS: Final = RunConfig(COMMODITY, COMMODITY, "evidence")
"""The main job: magnets by destination."""


def table_config(commodity: str) -> RunConfig:
    """Return the configuration that forecasts the full partner table of a commodity.

    The magnets' own table has another key than their forecast from the evidence, so that no reader
    mixes the two.
    """
    key = f"{commodity}{BY_PARTNER}" if commodity == COMMODITY else commodity
    return RunConfig(key, commodity, "table")


def member_config(one: Commodity) -> RunConfig:
    """Return the configuration of a commodity in a group."""
    key = table_config(one.code).published_as
    return RunConfig(key, one.code, "table", one.group, one.materials, one.label)


def config_of(published_as: str) -> RunConfig:
    """Return the configuration that publishes under a key, whatever group it was in."""
    if published_as == MAGNETS.published_as:
        return MAGNETS
    return table_config(figures_of(published_as))


def by_model(configs: Iterable[RunConfig]) -> Iterator[list[RunConfig]]:
    """Yield configurations that share a model together, groups in the order of their names."""

    def shared(config: RunConfig) -> tuple[str, str]:
        return config.group, "" if config.group else config.published_as

    for _, members in groupby(sorted(configs, key=shared), key=shared):
        yield list(members)


KEY: Final = "group"
"""Where the record of a publication tells of the group."""


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """All that the forecasts of a group rest on, by name or digest."""

    name: str
    """What it is called; no forecast rests on it."""
    materials: Mapping[str, Sequence[str]]
    """By commodity, in order, what controls on it are called after."""
    figures: Mapping[str, str]
    """By commodity the digest of its table."""
    controls: str
    """Digest of the controls on materials that were known; empty where none were looked at."""

    @classmethod
    def read(cls, made_with: Mapping[str, Any]) -> "GroupRecord | None":
        """Return the group that the record of a publication tells of; None where it tells none."""
        group = made_with.get(KEY)
        if group is None:
            return None
        members = group["members"]
        return cls(
            name=group["name"],
            materials={code: tuple(one["materials"]) for code, one in members.items()},
            figures={code: one["figures"] for code, one in members.items()},
            controls=group["controls"],
        )

    def written(self) -> dict[str, object]:
        """Return what the record of a publication tells of the group."""
        return {KEY: {"name": self.name, **self._contents()}}

    @property
    def configs(self) -> list[RunConfig]:
        """Return the configurations of its members."""
        return [
            member_config(Commodity(code, self.name, tuple(own), label=""))
            for code, own in self.materials.items()
        ]

    @property
    def vintage(self) -> str:
        """Return a digest of all that the forecasts rest on."""
        text = json.dumps(self._contents(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def apart(self, now: "GroupRecord") -> list[str]:
        """Say what of the group is not as it was, each in a clause."""
        found = [
            changed(f"the figures of {code}", then, now.figures[code])
            for code, then in self.figures.items()
            if code in now.figures and now.figures[code] != then
        ]
        found += [f"the table of {code}" for code in self.figures if code not in now.figures]
        if self.controls != now.controls:
            found.append(changed("the controls on materials", self.controls, now.controls))
        return found

    def _contents(self) -> dict[str, object]:
        members = {
            code: {"materials": list(own), "figures": self.figures[code]}
            for code, own in self.materials.items()
        }
        return {"members": members, "controls": self.controls}


def changed(what: str, then: str, now: str) -> str:
    """Say that facts are others now than then, by their digests."""
    return f"{what}: digest {then[:12]} then, {now[:12]} now"

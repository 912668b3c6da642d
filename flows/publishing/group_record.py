"""Who was in a group, as the record of each publication by its model keeps it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flows.publishing.run_config import RunConfig, member_config
from sources.files.commodities import Commodity

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

"""Who publishes: the version with MLflow's alias ``champion``; the store has who did before.

The alias is the only word on it. Where MLflow's database is a file it is read without MLflow,
whose import takes seconds.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Engine

from models.registry.stored_model import CHALLENGER, CHAMPION, record_file, registered_version
from store.errors import StoreError
from store.publications.publication_rows import RegisteredVersion, read_promotions
from store.settings import Settings

RULE_TAG: Final = "simple_rule"
"""Tag of a challenger: the simple rule that publishes in place of the champion, as JSON."""


@dataclass(frozen=True, slots=True)
class Champions:
    """Who publishes under the name of a registered model, and who did before."""

    champion: RegisteredVersion | None = None
    challenger: RegisteredVersion | None = None
    """The last version that was refused."""
    rule: Mapping[str, str] = field(default_factory=dict)
    """Simple rule that publishes in place of the champion it beat, as_of and reason; or empty."""
    promotions: tuple[RegisteredVersion, ...] = ()
    """Versions in order of promotion, those that were rolled back too."""

    @property
    def in_force(self) -> list[RegisteredVersion]:
        """Champions that were not rolled back, the one of today last."""
        if self.champion is None:
            return []
        earlier = [each for each in self.promotions if not each.rolled_back]
        numbers = [each.version for each in earlier]
        if self.champion.version in numbers:  # what follows was not promoted in the end
            earlier = earlier[: numbers.index(self.champion.version)]
        return [*earlier, self.champion]

    @property
    def rolled_back(self) -> list[RegisteredVersion]:
        return [each for each in self.promotions if each.rolled_back]

    @property
    def lost(self) -> int:
        """Last version promoted where MLflow has no champion any more, else 0."""
        earlier = [each.version for each in self.promotions if not each.rolled_back]
        return earlier[-1] if earlier and self.champion is None else 0

    def with_champion(self, version: RegisteredVersion) -> list[RegisteredVersion]:
        """Promotions with one more."""
        earlier = (each for each in self.in_force if each.version != version.version)
        past = [each for each in self.rolled_back if each.version != version.version]
        return [*past, *earlier, replace(version, rolled_back="")]

    def without_champion(self, reason: str) -> list[RegisteredVersion]:
        """Promotions with the last rolled back."""
        *earlier, bad = self.in_force
        return [*self.rolled_back, replace(bad, rolled_back=reason), *earlier]


def read_champions(settings: Settings, engine: Engine, name: str) -> Champions:
    """Who publishes under the name of a registered model."""
    versions = {alias: (version, tags) for alias, version, tags in _aliased(settings, name)}
    champion, _ = versions.get(CHAMPION, (None, {}))
    challenger, tags = versions.get(CHALLENGER, (None, {}))
    rule = json.loads(tags.get(RULE_TAG, "{}"))
    if rule.pop("champion", None) != rule_against(champion):  # another publishes since
        rule = {}
    return Champions(champion, challenger, rule, read_promotions(engine, name))


def rule_against(champion: RegisteredVersion | None) -> int:
    """Number of the champion that a rule beat, 0 before the first."""
    return 0 if champion is None else champion.version


def _aliased(
    settings: Settings, name: str
) -> Iterator[tuple[str, RegisteredVersion, Mapping[str, str]]]:
    """Yield each alias with its version and that one's tags."""
    file = record_file(settings)
    if file is None:
        from models.registry.model_registry import aliased  # noqa: PLC0415 - it takes seconds

        yield from aliased(settings, name)
        return
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(_ALIASED, (name,)).fetchall()
            tags = {row[1]: dict(connection.execute(_TAGS, (name, row[1]))) for row in found}
    except sqlite3.Error as err:
        raise StoreError(
            f"MLflow's database {file} cannot be read ({err}). Expected the record of runs and "
            "models. Restore it from a backup."
        ) from err
    for alias, number, run, source in found:
        yield alias, registered_version(settings, number, run, source, tags[number]), tags[number]


_ALIASED: Final = (
    "SELECT alias, version, run_id, source FROM registered_model_aliases "
    "JOIN model_versions USING (name, version) WHERE name = ?"
)
_TAGS: Final = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"

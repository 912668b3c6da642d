"""What a stored model was made for: refused where today's features or schema are others.

Public: :func:`stamp`, :func:`refusal`, :func:`recipe_of`, :data:`MODEL_SCHEMA`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, cast

from features.build import ALL_FEATURES
from models.registry.served import CARD_FORMATS
from store.errors import first_few

MODEL_SCHEMA: Final = 1
"""Raised when what a row means changes in a way that no entry of the catalogue tells: the target,
the level that forecasts are ratios to, the destinations."""

_REMEDY: Final = "Run `magnetcast train`, or promote a version that was trained with this code."


def stamp() -> dict[str, object]:
    """Return what training adds to a card so that :func:`refusal` can tell."""
    return {"schema": MODEL_SCHEMA, "catalogue": catalogue_digest()}


@cache
def catalogue_digest() -> str:
    """Return a digest of what every feature is: name, unit, meaning, when knowable, monotone."""
    entries = [[f.name, f.unit, f.meaning, f.knowable, f.monotone] for f in ALL_FEATURES]
    return _digest(entries)


def refusal(card: Mapping[str, object]) -> str:
    """Return why a model of this card must not be asked, in sentences; empty where it may be.

    Args:
        card: As stored beside the heads.
    """
    if card.get("format") not in CARD_FORMATS:
        return (
            f"its card has format {card.get('format')!r}. "
            f"Expected one of {', '.join(map(str, CARD_FORMATS))}. {_REMEDY}"
        )
    if card.get("schema") != MODEL_SCHEMA:
        return (
            f"it was trained on schema {card.get('schema', 'none')}. "
            f"Expected {MODEL_SCHEMA}, today's. {_REMEDY}"
        )
    features = [str(name) for name in cast("Iterable[object]", card.get("features", ()))]
    unknown = sorted(set(features) - {feature.name for feature in ALL_FEATURES})
    if unknown:
        return (
            f"it was trained on features that are no more: {first_few(unknown)}. "
            f"Expected some of the {len(ALL_FEATURES)} in docs/features.md. {_REMEDY}"
        )
    if card.get("catalogue") != catalogue_digest():
        return (
            f"its features had other meanings (catalogue {card.get('catalogue')}). "
            f"Expected catalogue {catalogue_digest()}, today's. {_REMEDY}"
        )
    return ""


def recipe_of(card: Mapping[str, object]) -> str:
    """Return what names the way a model was made, whatever months it learned from."""
    names = ("format", "schema", "catalogue", "features", "spec")
    return _digest([card.get(name) for name in names])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

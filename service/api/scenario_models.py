"""Schema of a scenario in the API's documentation; the reader of scenario files checks it."""

from collections.abc import Mapping
from typing import Any, Final

from store.vocabulary import INSTRUMENTS

Schema = dict[str, Any]

_DAY: Final[Schema] = {"type": "string", "format": "date"}
_TEXT: Final[Schema] = {"type": "string"}


def _object(needed: list[str], fields: Mapping[str, Schema]) -> Schema:
    """Return an object that has these fields and no others."""
    return {
        "type": "object",
        "required": needed,
        "properties": dict(fields),
        "additionalProperties": False,
    }


def _list(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


_LEVERS: Final = {"events": _list("ScenarioAct"), "tariffs": _list("ScenarioTariff")}

PARTS: Final[Mapping[str, Schema]] = {
    "ScenarioAct": _object(
        ["event_id"],
        {
            "event_id": {
                "type": "string",
                "description": "Of a known measure; a new one needs instrument, destinations and "
                "effective_from.",
            },
            "announced_on": {**_DAY, "description": "The day of the forecast by default."},
            "effective_from": _DAY,
            "effective_to": _DAY,
            "suspended_from": _DAY,
            "suspended_to": _DAY,
            "instrument": {"type": "string", "enum": sorted(INSTRUMENTS)},
            "direction": {"type": "string", "enum": ["restrictive", "easing", "neutral"]},
            "destinations": {"type": "array", "items": _TEXT, "minItems": 1},
            "products": _TEXT,
            "kept_pct": {
                "type": "number",
                "minimum": 0,
                "maximum": 100,
                "description": "Percent of trade that still passes.",
            },
        },
    ),
    "ScenarioTariff": _object(
        ["importer", "effective_from"],
        {
            "importer": {"type": "string", "examples": ["USA"]},
            "rate_pct": {"type": "number", "minimum": 0, "description": "Total rate; or"},
            "add_points": {"type": "number", "description": "percentage points added."},
            "announced_on": {**_DAY, "description": "The day of the forecast by default."},
            "effective_from": _DAY,
            "effective_to": _DAY,
        },
    ),
}
"""Schemas that the scenario refers to, by name."""

SCENARIO: Final[Schema] = _object(
    ["name"],
    {
        "name": {"type": "string", "minLength": 1},
        "description": _TEXT,
        **_LEVERS,
        "against": {
            **_object([], _LEVERS),
            "description": "Base of the comparison instead of what is known.",
        },
    },
)

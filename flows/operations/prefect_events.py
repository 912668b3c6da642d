"""What is named at Prefect: events that automations react to, and the limit on training."""

from collections.abc import Mapping
from typing import Final

from prefect.events import emit_event

PUBLISHED: Final = "magnetcast.published"
REFUSED: Final = "magnetcast.refused"
"""A challenger did not pass the gate."""
ALARM: Final = "magnetcast.alarm"
"""An alarm of docs/operations.md is raised; one event per alarm."""
CHECKED: Final = "magnetcast.checked"
"""The daily check ran, whatever it found; if it does not come, nobody is checking."""


def emit(event: str, about: str, payload: Mapping[str, str | int | float]) -> None:
    """Send an event to Prefect; nothing happens if no server is configured.

    Args:
        event: One of this module.
        about: What it is about: an as_of, a version, an alarm.
        payload: Details for the reader.
    """
    resource = {"prefect.resource.id": f"magnetcast.{about}", "prefect.resource.name": about}
    emit_event(event, resource=resource, payload=dict(payload))


def alarm(name: str, message: str) -> None:
    """Send an alarm, by its name in docs/operations.md, to Prefect."""
    emit(ALARM, name, {"alarm": name, "words": message})


TRAINING: Final = "magnetcast-training"
"""Prefect's limit that lets one deployment train at a time. A slot is a lease: what a killed
process held is free again after some minutes."""

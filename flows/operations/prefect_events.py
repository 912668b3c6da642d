"""What happened, told to Prefect as events: automations answer them, people read them there."""

from collections.abc import Mapping
from typing import Final

from prefect.events import emit_event

PUBLISHED: Final = "magnetcast.published"
REFUSED: Final = "magnetcast.refused"
"""A challenger did not pass the gate."""
ALARM: Final = "magnetcast.alarm"
"""Something of docs/operations.md is wrong; one event an alarm."""
CHECKED: Final = "magnetcast.checked"
"""The daily check looked, whatever it found: where it stays away nobody looks."""

PREFIX: Final = "magnetcast."


def tell(event: str, about: str, payload: Mapping[str, str | int | float]) -> None:
    """Tell Prefect of an event; where no server is told of, nothing happens.

    Args:
        event: One of this module.
        about: What it is about: an as_of, a version, an alarm.
        payload: What a reader wants to know.
    """
    resource = {"prefect.resource.id": f"{PREFIX}{about}", "prefect.resource.name": about}
    emit_event(event, resource=resource, payload=dict(payload))


def alarm(name: str, words: str) -> None:
    """Tell Prefect that an alarm of docs/operations.md speaks.

    Args:
        name: Its name there.
        words: What is the matter.
    """
    tell(ALARM, name, {"alarm": name, "words": words})

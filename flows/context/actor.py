"""Who or what acts, for the books."""

import getpass
from typing import Final

from prefect.runtime import deployment

SCHEDULE: Final = "schedule"
"""Acts where no person does."""


def actor() -> str:
    """Return the user of this machine, or ``schedule`` in a run that Prefect started."""
    if deployment.id:
        return SCHEDULE
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return SCHEDULE

"""Who or what made a result: the actor, the code, and what it ran on."""

import getpass
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from typing import Final

from store.settings import PROJECT_ROOT


def environment() -> dict[str, object]:
    """Versions of the code and packages, on which numbers may depend."""
    from features.evidence_history import PACKAGES  # noqa: PLC0415 - what computes takes a second

    packages = {name: version(name) for name in PACKAGES}
    code = {"version": version("magnetcast"), "code": git_commit()}
    return {**code, "packages": {"python": platform.python_version(), **packages}}


def git_commit() -> str:
    """Commit of the checkout, ``-dirty`` where it was changed, or ``unknown``."""
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():  # installed, perhaps in a checkout
        return "unknown"
    command = [git, "-C", str(PROJECT_ROOT), "describe", "--always", "--abbrev=40", "--dirty"]
    # The command line is fixed but for the project's own folder.
    answer = subprocess.run(  # noqa: S603
        [*command, "--exclude=*"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"


SCHEDULE: Final = "schedule"
"""Acts where no person does."""


def actor() -> str:
    """User of this machine, or ``schedule`` in a run that Prefect started."""
    if "PREFECT__FLOW_RUN_ID" in os.environ:
        return SCHEDULE
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return SCHEDULE

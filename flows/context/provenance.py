"""Who or what made a result: the actor, the code, and what it ran on."""

import getpass
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from typing import Final

from prefect.runtime import deployment

from store.settings import PROJECT_ROOT

PACKAGES: Final = ("lightgbm", "numpy", "pandas", "scipy", "scikit-learn", "threadpoolctl")
"""Packages whose arithmetic may reach a published number."""

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment() -> dict[str, object]:
    """Return what a number may depend on beside rows and code: versions, platform, threads."""
    return {
        "code": git_commit(),
        "packages": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "platform": f"{platform.system()} {platform.machine()} {platform.libc_ver()[1]}".strip(),
        "threads": {
            "processors": os.cpu_count(),
            **{name: os.environ.get(name, "") for name in THREADS},
        },
    }


def git_commit() -> str:
    """Return the commit of the checkout, ``-dirty`` where it was changed, or ``unknown``."""
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():  # installed, perhaps in a checkout
        return "unknown"
    command = [git, "-C", str(PROJECT_ROOT), "describe", "--always", "--abbrev=40", "--dirty"]
    command.append("--exclude=*")
    # The command line is fixed but for the project's own folder.
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"


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

"""Which code made a result."""

import shutil
import subprocess

from store.settings import PROJECT_ROOT


def git_commit() -> str:
    """Return the commit of the checkout, ``-dirty`` where it was changed, or ``unknown``."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [
        git,
        "-C",
        str(PROJECT_ROOT),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
        "--exclude=*",
    ]
    # The command line is fixed but for the project's own folder.
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"

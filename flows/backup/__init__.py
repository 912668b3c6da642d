"""Backup, restore and pruning of an installation.

Not here: the archive format (``store.archive``).
"""

from typing import Final

KEEP_RUNS: Final = 100
"""Newest MLflow runs that pruning keeps."""

KEEP_DAYS: Final = 180
"""Runs and raw answers of providers younger than this are kept."""

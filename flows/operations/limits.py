"""Names of limits that Prefect keeps."""

from typing import Final

TRAINING: Final = "magnetcast-training"
"""Prefect's limit that lets one deployment train at a time. A slot is a lease: what a killed
process held is free again after some minutes."""

"""A pretrained network as one more base forecast: fracast, whose weights come with its package.

Used only if the parameters ask for it. It and torch are imported when it first forecasts, and
nothing is downloaded. Source: docs/adr/0063-a-pretrained-expert.md.
"""

import hashlib
import os
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from store.arrays import Floats
from store.errors import DataError

if TYPE_CHECKING:
    from fracast import FracastModel

NAME: Final = "pretrained"
"""Name of the base forecast."""

PACKAGE: Final = "fracast"

WEIGHTS: Final = "0d678f123f3d1f91c5065cca2b5d40eccc469360afc2381b27290486011ded2c"
"""SHA-256 of the weights, without which earlier forecasts cannot be reproduced."""

LEAST_VALUES: Final = 8
"""Values that the network needs of a series."""


def notice() -> str:
    """Return package, versions and digest of the network, and the caveat about its scores."""
    module = find_spec(PACKAGE)
    if module is None or module.origin is None or find_spec("torch") is None:
        raise DataError(
            f"{NAME}=1 asks for a pretrained network, and {PACKAGE} and torch are not installed "
            "here. Expected both. Install magnetcast[pretrained], or leave it out."
        )
    file = Path(module.origin).with_name("weights") / "model.safetensors"
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "missing"
    if digest != WEIGHTS:
        raise DataError(
            f"The weights of {PACKAGE} {version(PACKAGE)} are {digest[:12]}. Expected "
            f"{WEIGHTS[:12]}, by which forecasts are made again. Install magnetcast[pretrained]."
        )
    return (
        f"{PACKAGE} {version(PACKAGE)}, weights {WEIGHTS[:12]}, torch {version('torch')}. It was "
        "trained on public series, perhaps on months scored here: its errors may flatter it"
    )


def tags(*, is_used: bool) -> dict[str, str]:
    """Return the tags of a run that uses the network; none otherwise."""
    return {NAME: notice()} if is_used else {}


def marked(status: str, *, is_used: bool) -> str:
    """Return the status of forecasts, with the network's name if it is used."""
    return f"{status}, {NAME}" if is_used else status


@cache
def _network() -> "FracastModel":
    """Return the network, on one thread for the same bits everywhere."""
    notice()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch  # noqa: PLC0415 - takes seconds, and is rarely installed
    from fracast import FracastModel  # noqa: PLC0415

    torch.set_num_threads(1)
    return FracastModel.from_pretrained(weights="fp32")


def medians(values: Floats, horizon: int) -> Floats:
    """Return the network's medians of the months after ``values``, each series on its own.

    Args:
        values: Series x months, NaN where missing; not modified.

    Returns:
        Series x horizon; NaN for series with fewer than ``LEAST_VALUES`` values.
    """
    network = _network()
    middle = network.quantiles.index(0.5)
    context = values[:, -network.context_length :]
    forecast = np.full((len(context), horizon), np.nan)
    for row in np.flatnonzero(np.isfinite(context).sum(axis=1) >= LEAST_VALUES):
        # It computes in single precision: scaled to 0..1, small changes of large numbers survive.
        low, high = np.nanmin(context[row]), np.nanmax(context[row])
        unit = high - low if high > low else 1.0
        ahead = network.forecast((context[row] - low) / unit, horizon=horizon)
        forecast[row] = low + unit * ahead[:, middle].astype(np.float64)
    return forecast

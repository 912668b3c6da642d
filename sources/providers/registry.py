"""The providers queried over HTTP, by name."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, cast

from sources.base import LiveSource
from sources.http import RetryPolicy
from store.settings import Settings

_MAKERS: Final[Mapping[str, tuple[str, str]]] = {
    "comtrade": ("comtrade", "ComtradeExports"),
    "comtrade_mirror": ("comtrade", "ComtradeMirror"),
    "census": ("census", "CensusImports"),
    "comext": ("comext", "ComextImports"),
    "hts": ("hts", "TariffSchedule"),
    "federal_register": ("federal_register", "FederalRegister"),
}
"""Module of this package and class by source id, imported on use: SDMX takes seconds."""

LIVE: Final = tuple(_MAKERS)
"""Ids of all live sources."""


BY_CODE: Final = ("comtrade", "comtrade_mirror")
"""Ids of the sources that cover any six-digit code."""


def coded_source(name: str, settings: Settings, code: str) -> LiveSource:
    """Return one of ``BY_CODE`` for a six-digit code."""
    return _maker(name)(settings, commodity=code)


def live_source(
    name: str, settings: Settings, retry_policy: RetryPolicy | None = None
) -> LiveSource:
    """Return the source called ``name``.

    Raises:
        ValueError: there is none; worded to follow "is not".
    """
    if name not in _MAKERS:
        raise ValueError(f"a live source ({', '.join(LIVE)})")
    return _maker(name)(settings, retry_policy or RetryPolicy())


def _maker(name: str) -> Callable[..., LiveSource]:
    module, kind = _MAKERS[name]
    return cast(
        "Callable[..., LiveSource]", getattr(import_module(f"{__package__}.{module}"), kind)
    )

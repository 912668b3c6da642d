"""The providers that are asked over HTTP, by name."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, cast

from sources.base import LiveSource
from sources.http_waiting import Patience
from store.settings import Settings

Maker = Callable[[Settings, Patience], LiveSource]

_MAKERS: Final[Mapping[str, tuple[str, str]]] = {
    "comtrade": ("sources.comtrade", "ComtradeExports"),
    "comtrade_mirror": ("sources.comtrade", "ComtradeMirror"),
    "census": ("sources.census", "CensusImports"),
    "comext": ("sources.comext", "ComextImports"),
    "fx": ("sources.fx", "ExchangeRates"),
    "gpr": ("sources.gpr", "GeopoliticalRisk"),
    "hts": ("sources.hts", "TariffSchedule"),
    "federal_register": ("sources.federal_register", "FederalRegister"),
}
"""By source id the module and class; imported when asked for, as the SDMX library takes seconds."""

LIVE: Final = tuple(_MAKERS)
"""Ids of all live sources."""


BY_CODE: Final = ("comtrade", "comtrade_mirror")
"""Ids of those that tell of any six-digit code."""


def coded_source(name: str, settings: Settings, code: str) -> LiveSource:
    """Return one of ``BY_CODE`` for a six-digit code."""
    from sources.comtrade import ComtradeExports, ComtradeMirror  # noqa: PLC0415 - as the others

    make = ComtradeExports if name == "comtrade" else ComtradeMirror
    return make(settings, commodity=code)


def live_source(name: str, settings: Settings, patience: Patience | None = None) -> LiveSource:
    """Return the source called ``name``.

    Raises:
        ValueError: there is none; worded to follow "is not".
    """
    if name not in _MAKERS:
        raise ValueError(f"a live source ({', '.join(LIVE)})")
    module, kind = _MAKERS[name]
    make = cast("Maker", getattr(import_module(module), kind))
    return make(settings, patience or Patience())

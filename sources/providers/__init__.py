"""Providers: statistics (customs, Comtrade, tariffs) and official documents.

Here: what is specific to one provider; documents found wait for a person to decide. Not here: HTTP
itself (``sources.http``) or checks that apply to all (``sources.checks``).
"""

import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, cast

from sources.http import HttpSource
from store.progress import Progress, untracked
from store.settings import Settings
from store.vocabulary import HS6

_MAKERS: Final[Mapping[str, tuple[str, str]]] = {
    "comtrade": ("comtrade", "ComtradeExports"),
    "hts": ("hts", "TariffSchedule"),
    "federal_register": ("federal_register", "FederalRegister"),
    "mofcom": ("announcements", "CommerceMinistry"),
    "gacc": ("announcements", "CustomsAdministration"),
    "white_house": ("announcements", "WhiteHouse"),
    "cbp": ("announcements", "CustomsMessages"),
}
"""Module of this package and class by source id, imported on use."""

LIVE: Final = tuple(_MAKERS)
"""Ids of all live sources."""

BY_CODE: Final = ("comtrade",)
"""Ids of the sources that cover any six-digit code."""


def live_source(
    name: str,
    settings: Settings,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = untracked,
    commodity: str = HS6,
) -> HttpSource:
    """Source called ``name``; one of ``BY_CODE`` takes a six-digit ``commodity``."""
    if name not in _MAKERS:
        raise ValueError(f"a live source ({', '.join(LIVE)})")
    module, kind = _MAKERS[name]
    maker = getattr(import_module(f"{__name__}.{module}"), kind)
    code = {"commodity": commodity} if name in BY_CODE else {}
    return cast("HttpSource", maker(settings, sleep, progress, **code))

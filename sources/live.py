"""The providers that are asked over HTTP, by name."""

from collections.abc import Callable, Mapping
from typing import Final

from sources.base import LiveSource
from sources.comtrade import ComtradeExports, ComtradeMirror
from sources.http_waiting import Patience
from store.settings import Settings

Maker = Callable[[Settings, Patience], LiveSource]

LIVE: Final[Mapping[str, Maker]] = {
    "comtrade": ComtradeExports,
    "comtrade_mirror": ComtradeMirror,
}
"""By source id, what makes the source."""

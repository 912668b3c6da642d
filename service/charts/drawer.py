"""The process that draws the charts' pictures: vl-convert holds the interpreter while it draws."""

from collections.abc import Callable
from multiprocessing import get_context
from typing import Any, Final

from pebble import ProcessPool

from service.charts.chart import COLOURS, DARK_COLOURS, Chart
from service.charts.stills import Form, bundle, has_glyphs, still
from service.language.choice import DEFAULT
from service.live.publication import Memo

_LIMIT_S: Final = 120
_MOST: Final = 128
"""Pictures in memory, each some 50 to 150 kB."""

_SAMPLE: Final = {"ja": "磁予", "ko": "한예", "zh": "磁预"}
"""Characters without which a language cannot be written."""


class Drawer:
    """Draws in a process of its own, which starts with the first picture."""

    def __init__(self) -> None:
        self._pool: Any = ProcessPool(max_workers=1, context=get_context("spawn"))
        self._memo = Memo()
        self._recent = Memo(_MOST)

    def picture(self, chart: Chart, form: Form, width: int, *, is_themed: bool = False) -> bytes:
        """Picture of a chart; a themed one is for pages, light or dark."""
        palettes = (COLOURS, DARK_COLOURS) if is_themed else (COLOURS,)
        arguments = chart.document, form, palettes, width
        key = chart.document, form, is_themed, width
        picture: bytes | None = self._recent.get(key)
        if picture is None:
            picture = self._done(still, *arguments)
            self._recent.keep(key, picture)
        return picture

    def language_of_png(self, code: str) -> str:
        """Language, or English where no installed font has its characters."""
        sample = _SAMPLE.get(code, "")
        has_font = self._memo.make(("font", code), lambda: self._done(has_glyphs, sample))
        return code if has_font else DEFAULT

    def library(self) -> bytes:
        """Vega's script."""
        script: bytes = self._memo.make("library", lambda: self._done(bundle))
        return script

    def stop(self) -> None:
        """End the process."""
        self._pool.stop()
        self._pool.join()

    def _done(self, work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - of any work
        """Result of the process, which is stopped after ``_LIMIT_S``."""
        return self._pool.schedule(work, args=arguments, timeout=_LIMIT_S).result()

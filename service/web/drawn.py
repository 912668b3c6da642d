"""The charts of a publication by kind and destination, and where a page finds them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from service.charts.chart import Chart
from service.charts.fan import Fan, alt_text, fan_of, month_start, plain_fan
from service.charts.fan_chart import fan_chart, small_chart
from service.charts.record_charts import calibration, outcome, replay, revisions, waterfall
from service.charts.stills import WIDTH
from service.language.choice import language
from service.language.formats import dated
from service.language.phrases import gettext
from service.live.publication import MOST_IN_ORDER, Publication
from service.queries.explain import steps_of
from service.web.track_charts import OVER_ALL, Make, counted_cells
from service.wording import home_of


def _parts(fan: Fan) -> Chart | None:
    """Return the parts of the next month's median; None where none were published."""
    ahead = fan.ahead
    ahead = ahead[ahead["period"] > month_start(fan.as_of)]
    parts = ahead["contributions"].iloc[0] if len(ahead) and "contributions" in ahead else None
    if not isinstance(parts, str) or not parts:
        return None
    start, steps = steps_of(json.loads(parts))
    month = dated(ahead["period"].iloc[0], "long month")
    return waterfall(fan, start, steps, gettext("forecast for %(month)s", month=month))


KINDS: Final[Mapping[str, Make]] = {
    "fan": lambda publication, destination: fan_chart(fan_of(publication, destination)),
    "small": lambda publication, destination: small_chart(plain_fan(publication, destination)),
    "parts": lambda publication, destination: _parts(fan_of(publication, destination)),
    "revisions": lambda publication, destination: revisions(
        fan_of(publication, destination), publication.published.forecasts
    ),
    "outcome": lambda publication, destination: outcome(
        destination, counted_cells(publication), publication.snapshot.panel, publication.as_of
    ),
    "replay": lambda publication, destination: replay(
        destination, publication.published.cells, publication.as_of
    ),
    "calibration": lambda publication, _: calibration(
        counted_cells(publication), publication.as_of
    ),
    **OVER_ALL,
}
"""The kinds of charts, as their addresses name them."""


_WIDE: Final = ("fan", "paired", "difference")
"""Kinds with a narrower picture for phones; the others are narrow everywhere."""

_NARROW_PX: Final = 360
_SMALL_PX: Final = 280


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart on a page: where it is, and what it says to those who cannot see it."""

    path: str
    label: str
    kind: str
    query: str = ""

    def at(self, form: str, field: str = "") -> str:
        """Return the address of one form of it."""
        asked = "&".join(filter(None, (self.query, field)))
        return f"{self.path}.{form}{asked and '?'}{asked}"

    @property
    def is_wide(self) -> bool:
        return self.kind in _WIDE

    @property
    def width(self) -> int:
        """Return the pixels of its picture on a page."""
        if self.is_wide:
            return WIDTH
        return _SMALL_PX if self.kind == "small" else _NARROW_PX

    @property
    def embed(self) -> str:
        """Return the address of a page that others may frame; empty where there is none."""
        return "" if self.query else f"/embed{self.path}"


def still_at(drawn: Drawn, width: int) -> str:
    """Return the address of the picture of a chart, light or dark."""
    return drawn.at("svg", f"themed=1&width={width}")


def chart_of(publication: Publication, kind: str, destination: str) -> Chart | None:
    """Return a chart, made once; None where there is nothing to draw."""
    return publication.memo.make(
        ("chart", kind, destination, language()), lambda: KINDS[kind](publication, destination)
    )


def drawn(publication: Publication, kind: str, destination: str) -> Drawn | None:
    """Return where a page finds a chart; None where there is nothing to draw."""
    path = f"{home_of(publication.commodity)}/charts/{kind}/{destination}"
    if kind in {"fan", "small"}:  # always there; drawn when it comes into view
        is_small = kind == "small"
        fan = (plain_fan if is_small else fan_of)(publication, destination)
        return Drawn(path, alt_text(fan, is_marked=not is_small), kind)
    made = chart_of(publication, kind, destination)
    return None if made is None else Drawn(path, made.label, kind)


def small_charts(publication: Publication) -> Iterator[tuple[str, Drawn | None]]:
    """Yield the small charts by destination: all of them, or the largest of many."""
    names = publication.destinations
    if publication.is_wide:
        size = publication.latest.groupby("destination")["p50"].sum()
        names = [str(name) for name in size.nlargest(MOST_IN_ORDER).index]
    for name in names:
        yield name, drawn(publication, "small", name)

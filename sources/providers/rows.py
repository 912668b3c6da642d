"""Answers of providers as checked tables, typed rows of what they hold, and their country codes."""

import json
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
import pycountry

from sources.bundled.policy_events import COVERAGE
from sources.files.panel import MISSING_MARKS
from store.errors import first_few, shown
from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE, typed_frame
from store.vocabulary import EU27, ORIGIN, UNITS, WORLD

USUAL_LAG: Final = "dated by the usual lag"
"""Note of a row whose provider does not publish a release date."""

ORDER: Final = ("commodity", "measure", "destination", "period_from")


def usual_moment(months: pd.Series, *, lag_days: int, ingested_at: pd.Timestamp) -> pd.Series:
    """When figures of months become available: after the usual lag, never after ``ingested_at``.

    Args:
        months: first days.
        lag_days: days after the month's end.

    Examples:
        >>> today, april = pd.Timestamp("2026-01-01", tz="UTC"), pd.Timestamp("2025-04-01")
        >>> usual_moment(pd.Series([april]), lag_days=20, ingested_at=today)[0]
        Timestamp('2025-05-20 00:00:00+0000', tz='UTC')
    """
    ends = months + pd.offsets.MonthEnd(0) + pd.Timedelta(days=lag_days)
    return not_after(ends.dt.tz_localize("UTC"), ingested_at)


def not_after(moments: pd.Series, ingested_at: pd.Timestamp) -> pd.Series:
    """Moments, none later than ``ingested_at``."""
    limit = ingested_at.tz_convert("UTC")
    return moments.where(moments <= limit, limit).astype(MOMENT_DTYPE)


def observations(parts: Sequence[pd.DataFrame], *, source: str, source_url: str) -> pd.DataFrame:
    """Typed rows of ``observations`` from measurements, in one order.

    Args:
        parts: frames of ``commodity, destination, measure, period, value, half_width,
            available_at`` and perhaps ``note``; ``period`` is the month's first day; a missing
            value makes no row.
        source_url: address without key and without parameters that vary between requests.
    """
    if not (filled := [rows for part in parts if len(rows := part.dropna(subset="value"))]):
        return typed_frame([], "observations")
    rows = pd.concat(filled, ignore_index=True)
    note = rows["note"].fillna("") if "note" in rows else ""
    rows = rows.assign(
        origin=ORIGIN,
        period_from=rows["period"],
        period_to=rows["period"],
        unit=rows["measure"].map(UNITS),
        kind="reported",
        usable=True,
        source=source,
        source_url=source_url,
        note=note,
    )
    return typed_frame(rows, "observations").sort_values(list(ORDER), ignore_index=True)


def records_in(answer: object, name: str, needed: Sequence[str]) -> list[dict[str, object]]:
    """Records that an answer keeps under ``name``, each with what is needed; else a ValueError."""
    held = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(held, list) or not all(isinstance(record, dict) for record in held):
        raise ValueError(f"it has no list of records {name!r}")
    for record in held:
        refuse_missing(record, needed)
    return held


def refuse_missing(has: Collection[Hashable], needed: Sequence[str]) -> None:
    """Refuse an answer that lacks a column, with a ValueError."""
    if missing := [name for name in needed if name not in has]:
        raise ValueError(f"it lacks {first_few(missing)}; it has {first_few([*has])}")


_MISSING: Final = frozenset({"", ".", ":", *MISSING_MARKS})
"""Words of providers for a missing number, in lower case."""


def readable(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Rows whose numbers can be read, as floats, and how many others there are.

    A cell without a number is NaN; one that is filled with anything else breaks its row alone.

    Raises:
        ValueError: More than half of a column are no numbers.
    """
    read, broken = frame.copy(), pd.Series(data=False, index=frame.index)
    for name in names:
        cells = frame[name]
        is_missing = cells.isna() | cells.astype("str").str.strip().str.lower().isin(_MISSING)
        values = pd.to_numeric(cells.mask(is_missing), errors="coerce").astype("float64")
        wrong = ~np.isfinite(values) & ~is_missing
        if 2 * wrong.sum() > len(frame):
            text = shown(str(cells[wrong].iloc[0]))
            raise ValueError(f"it has {name!r} that is not a number ({text!r})")
        read[name], broken = values, broken | wrong
    return read[~broken], int(broken.sum())


_COLUMNS: Final = ("source", "item_key", "title", "url", "published_on", "payload")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One item."""

    item_key: str
    """Identifies the item within its source; each item is proposed only once."""
    title: str
    url: str
    published_on: pd.Timestamp | None
    payload: Mapping[str, object]


def proposals(items: Sequence[Proposal], *, source: str, ingested_at: pd.Timestamp) -> pd.DataFrame:
    """Typed rows of ``proposals``, ordered by key; items dated in the future are left out."""
    today = ingested_at.tz_convert("UTC").tz_localize(None)
    rows = [
        {
            **asdict(item),
            "source": source,
            "payload": json.dumps(item.payload, ensure_ascii=False, sort_keys=True),
        }
        for item in sorted(items, key=lambda item: item.item_key)
        if item.published_on is None or item.published_on <= today
    ]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    texts = dict.fromkeys(("source", "item_key", "title", "url", "payload"), "str")
    return frame.astype({**texts, "published_on": DATE_DTYPE})


ELEMENTS: Final = tuple("钕镨钐钴钆铽镝镥钪钇钬铒铥铕镱")
"""Rare earths, and the cobalt of magnets with samarium."""

MINERALS: Final = ("镓", "锗", "锑", "石墨", "钨", "碲", "铋", "钼", "铟")

_SHARES: Final = (
    ("magnets", 1.0, r"永磁|磁[体铁材]|铁硼|钐钴|magnet|8505\.?11|nd-?fe-?b|neodymium.iron"),
    ("all_goods", 1.0, r"(?:所有|全部)(?:商品|货物|产品)|all (?:goods|imports|products)"),
    ("dual_use", 0.3, r"两用物项|dual.use"),
    ("rare_earths", 0.1, f"稀土|{'|'.join(ELEMENTS)}|rare.earth|neodymium|samarium"),
    ("other_minerals", 0.1, f"{'|'.join(MINERALS)}|critical mineral|gallium|germanium|antimony"),
    ("technology", 0.1, r"技术|technolog"),
    ("equipment", 0.1, r"设备|equipment"),
)
"""What wording names, by pattern, and the share of magnet trade that an act on it covers."""


def proposed_coverage(title: str, text: str) -> Mapping[str, str]:
    """Columns ``COVERAGE`` of an act by its title and text; empty where nothing is recognised.

    The reason says which words were recognised and how sure the proposal is: highly where the title
    names what decides the share, little where magnets are not named.
    """
    matches = [
        (name, share, [re.search(pattern, words, re.IGNORECASE) for words in (title, text)])
        for name, share, pattern in _SHARES
    ]
    named = [match for match in matches if any(match[2])]
    # Technology in the title and no magnets: those in the text are what it makes.
    in_title = {name for name, _, (match, _) in named if match}
    if in_title & {"technology", "equipment"} and "magnets" not in in_title:
        named = [match for match in named if match[0] in in_title]
    if not named:
        return dict.fromkeys(COVERAGE, "")
    _, share, words = max(named, key=lambda match: match[1])
    sure = "high" if share == 1.0 and words[0] else "medium" if share == 1.0 else "low"
    word = (words[0] or words[1] or [""])[0]
    reason = f"confidence {sure}: {word!r} in the {'title' if words[0] else 'text'}"
    covers = ";".join(name for name, *_ in named)
    return dict(zip(COVERAGE, (covers, f"{share:g}", reason), strict=True))


_COMTRADE: Final = {
    "0": WORLD,
    "97": EU27,
    "251": "FRA",
    "381": "ITA",
    "490": "TWN",
    "579": "NOR",
    "699": "IND",
    "757": "CHE",
    "842": "USA",
}
"""Codes of UN Comtrade that are not those of UN M49. 490 is "Other Asia, not elsewhere specified",
in practice Taiwan; 251, 381, 579, 699, 757 and 842 take in outlying parts."""

COMTRADE_GROUPS: Final = {975: "ASEAN"}
"""Codes of UN Comtrade for groups of countries that report beside their members: sums, not places.
The EU (97) is a region of its own here; "Other Asia" (490) is a group by name alone."""


@cache
def comtrade_places() -> dict[int, str]:
    """Destination of each UN Comtrade code for a country or sum."""
    iso = {int(country.numeric): str(country.alpha_3) for country in pycountry.countries}
    return {**iso, **{int(code): name for code, name in _COMTRADE.items()}}


def comtrade_place(code: int) -> str:
    """Destination for a code of UN Comtrade.

    A code that is not a country ("Areas, not elsewhere specified" is 899) gets its own name,
    ``X899``, so that destinations still add up to the world.

    Examples:
        >>> comtrade_place(842), comtrade_place(899)
        ('USA', 'X899')
    """
    return comtrade_places().get(code, f"X{code:03d}")

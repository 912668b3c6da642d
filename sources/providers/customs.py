"""China Customs: tables of exports by partner, downloaded by hand as CSV."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

import pandas as pd

from sources.base import SourceInfo
from sources.bundled.release_calendar import ReleaseCalendar
from sources.files.csv_table import Problems, content_of
from sources.providers.customs_lines import CELL, CustomsLines
from sources.providers.customs_table import CustomsTable, read_customs
from sources.providers.rows import not_after, observations
from store.errors import DataError
from store.facts.batch import FileRows, RefusedLines
from store.schema.frames import MOMENT_DTYPE
from store.vocabulary import COMMODITY, EU27, ORIGIN, WORLD

SITE: Final = "http://stats.customs.gov.cn/"

Flow = Literal["export", "import"]

FULL_LIST: Final = 20
"""Partners in a month from which their sum is taken as the world where the file has no total."""

YUAN_PER_TONNE: Final = (7_000.0, 35_000_000.0)
"""Bounds of a price in yuan: the dollars of ``sources.checks.unit_guards`` at seven yuan."""


@dataclass(frozen=True, slots=True)
class CustomsDownload:
    """One file from the customs query site, in rows or with one column per month."""

    info: ClassVar = SourceInfo("customs", completeness=0.6)

    path: Path
    calendar: ReleaseCalendar
    now: pd.Timestamp
    """The moment of the ingest: no row is dated later."""
    flow: Flow
    """What was asked of the site; its files do not say."""
    published_on: pd.Timestamp | None = None
    """The day all of it was published; without it the release calendar is used."""
    unit: str = ""
    """Unit of weight if the file has none."""

    def load(self) -> FileRows:
        """Read weights in tonnes and values in dollars by partner and month.

        Lines that cannot be read are refused alone; the world of their months is then not usable.

        Raises:
            DataError: the file is not a customs table of exports, or no line of it can be read.
        """
        content = content_of(self.path)
        table = read_customs(self.path.name, content)
        self._check(table)
        lines = CustomsLines(table, self.unit, Problems(self.path.name))
        amounts = lines.read()
        self._check_yuan(amounts)
        is_unknown = amounts["line"].isin(lines.refused_lines)
        if is_unknown.all():
            lines.raise_refused()
        known = self._rows(amounts[~is_unknown], lines.incomplete_months())
        digest = hashlib.sha256(content + "\n".join(lines.refused).encode()).hexdigest()
        return FileRows(
            self.info.id,
            self.path.name,
            digest,
            {"observations": known},
            self._ignored(table, lines),
            self._refused(amounts, lines),
            encoding=table.encoding,
            asked=self._asked(),
        )

    def _asked(self) -> str:
        """Return the file and what a person stated of it."""
        published = self.published_on
        stated = [
            f"all of it published on {published:%Y-%m-%d}" if published is not None else "",
            f"weights in {self.unit}" if self.unit else "",
        ]
        return ", ".join([f"{self.flow}s in {self.path.name}", *filter(None, stated)])

    def _refused(self, amounts: pd.DataFrame, lines: CustomsLines) -> RefusedLines | None:
        """Return the lines refused; those of unknown partners with a code can be released."""
        if not lines.refused:
            return None
        is_named = amounts["destination"].ne("")
        is_unknown = amounts["line"].isin(lines.refused_lines)
        lacking: set[pd.Timestamp] | None = set()
        if lines.problems.lines - lines.foreign or not is_named.all():
            lacking = None
        every = self._rows(amounts[is_named], lacking)
        own = set(amounts.loc[is_named & is_unknown, "destination"])
        rows = every[every["destination"].isin({*own, WORLD} if own else set())]
        tables = {"observations": rows.reset_index(drop=True)} if own else {}
        return RefusedLines(len(lines.refused_lines), lines.refused, tables)

    def _ignored(self, table: CustomsTable, lines: CustomsLines) -> tuple[str, ...]:
        """Describe what was left out on purpose."""
        counts = {reason: count for reason, count in lines.ignored.items() if count}
        if table.of("cny") and not table.of("usd"):
            counts["amounts in yuan, for values are kept in dollars"] = len(table.lines)
        return tuple(f"{count} lines: {reason}" for reason, count in counts.items())

    def _check(self, table: CustomsTable) -> None:
        """Refuse imports, a stated day in the future and a table without a unit of weight."""
        if self.flow != "export":
            raise DataError(
                f"{self.path.name} holds imports, as --flow states. Expected exports of China, "
                "which are what is forecast. Ask the site for exports (出口) and load that file; "
                "nothing was taken over."
            )
        if self.published_on is not None and self.published_on.tz_localize("UTC") > self.now:
            raise DataError(
                f"--published-on {self.published_on:%Y-%m-%d} lies in the future, for "
                f"{self.path.name}. Expected {self.now:%Y-%m-%d} or earlier. Correct it."
            )
        untold = [c for c in table.of("quantity") if not c.heading.unit]
        if untold and not self.unit and not table.of("unit"):
            raise DataError(
                f"No unit of weight in {self.path.name}: column {untold[0].title!r} tells none. "
                "Expected a column of units (千克, kg, 吨, t) or a heading as 'Quantity (kg)'. "
                "Say it with --unit kg or --unit t; customs count magnets in kilograms."
            )

    def _check_yuan(self, amounts: pd.DataFrame) -> None:
        """Refuse a price in yuan that no magnet has; prices in dollars are checked as any other."""
        sums = amounts.pivot_table(index="line", columns="measure", values="value", aggfunc="sum")
        if not {"net_weight_t", "value_mcny"}.issubset(sums.columns):
            return
        prices = 1e6 * sums["value_mcny"] / sums["net_weight_t"].where(sums["net_weight_t"] > 0)
        price, (low, high) = prices.median(), YUAN_PER_TONNE
        if price < low or price > high:
            raise DataError(
                f"{self.path.name} has {price:,.0f} yuan a tonne on its median line. Expected "
                f"{low:,.0f} to {high:,.0f}; magnets cost about 350,000. It is of another "
                "commodity, or its unit of weight is wrong. Look at the query, or correct --unit; "
                "nothing was taken over."
            )

    def _rows(self, amounts: pd.DataFrame, lacking: set[pd.Timestamp] | None) -> pd.DataFrame:
        """Return rows of ``observations``; the world is not usable in months that lack lines."""
        ours = amounts[amounts["measure"].ne("value_mcny")]
        cells = ours.groupby(CELL, as_index=False)[["value", "half_width"]].sum()
        worlds = _sums(cells)
        frames = [self._dated(part) for part in (cells, worlds)]
        rows = observations(frames, origin=ORIGIN, source=self.info.id, source_url=SITE)
        is_world = rows["destination"].eq(WORLD)
        is_lacking = is_world & (rows["period_from"].isin(lacking) if lacking is not None else True)
        is_sum = rows["note"].ne("")
        return rows.assign(
            usable=~is_lacking,
            kind=rows["kind"].mask(is_sum, "derived"),
            note=rows["note"].mask(is_lacking, "incomplete: lines of the download are refused"),
        )

    def _dated(self, cells: pd.DataFrame) -> pd.DataFrame:
        if self.published_on is not None:
            days = pd.Series(self.published_on, index=cells.index)
        else:
            days = cells["period"].map(self.calendar.released_on)
        moments = pd.to_datetime(days).dt.tz_localize("UTC").astype(MOMENT_DTYPE)
        return cells.assign(commodity=COMMODITY, available_at=not_after(moments, self.now))


def _sums(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the world of the months that list many partners and state no total."""
    months = cells[~cells["destination"].isin([WORLD, EU27])].groupby(["period", "measure"])
    total = months[["value", "half_width"]].sum().assign(partners=months.size()).reset_index()
    stated = cells.loc[cells["destination"].eq(WORLD), "period"]
    full = total[total["partners"].ge(FULL_LIST) & ~total["period"].isin(stated)]
    notes = [f"sum of {count} partners" for count in full["partners"]]
    return full.drop(columns="partners").assign(destination=WORLD, note=notes)

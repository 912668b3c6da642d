"""The report on a commodity: one page that opens offline, and beside it the forecast as files."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pandas as pd

from service.charts.chart import COLOURS, DARK_COLOURS
from service.charts.fan import Fan, ReportInput, make_fans
from service.charts.fan_chart import fan_chart, small_chart
from service.language.choice import chosen
from service.language.phrases import gettext
from service.messages import rendered
from service.queries.basis import basis_words, data_through
from service.queries.sums import copula_of
from service.queries.track import backtest_coverage
from service.report import view
from service.report.backtest_view import losses, score_rows, without_components
from service.templating import environment
from service.wording import full_words_of, in_reading_order
from store.errors import DataError
from store.publications.basis import BASIS_COLUMNS, Basis
from store.vocabulary import ALL, EU27, FORECAST_COLUMNS, WORLD

_PAGE: Final = "index.html"

_FILE: Final = re.compile(
    r"index\.html|(forecasts|scores|destinations)\.csv|(overview|fan_[A-Za-z0-9_-]+)\.png"
)
"""Every file of a report, now or before."""


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``folder`` at the end.

    The old one stays when anything fails.
    """
    _check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        _swap(fresh, folder, aside=Path(scratch) / "previous")


def _check_folder(folder: Path) -> None:
    """Refuse to replace a folder that holds more than a report, for its files would be lost."""
    if folder.exists() and not (folder.is_dir() and _is_report(folder)):
        raise DataError(
            f"{folder} exists and is no report, and would be replaced. Expected a new or empty "
            "folder, or one written before to which nothing was added. Choose another folder."
        )


def _is_report(folder: Path) -> bool:
    """Tell whether a folder is empty or holds what is written for a report alone."""
    names = {path.name for path in folder.iterdir()}
    return not names or ({_PAGE, "forecasts.csv"} <= names and all(map(_FILE.fullmatch, names)))


def _swap(fresh: Path, folder: Path, *, aside: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        aside.rename(folder)
        raise


_MOST_DRAWN: Final = 16
"""Destinations drawn where they have no sections: the sums and the largest."""

_SMALL_PX: Final = 280


def write_report(report: ReportInput, folder: Path) -> Path:
    """Write the report and return the path of its page.

    The whole is made beside ``folder`` and put in its place at the end, so readers find the old
    report or the new one, and the old one stays when anything fails. The same input gives the
    same bytes.

    Returns:
        The path of ``index.html``; beside it lie ``forecasts.csv``, ``scores.csv`` and, if it has
        sections, ``destinations.csv``, how far each is published.
    """
    if report.forecasts.empty:
        raise DataError(
            f"There are no forecasts as of {report.as_of:%Y-%m-%d} to report. Expected one row a "
            "destination and month. Run `magnetcast predict` first."
        )
    with fresh_folder(folder) as fresh:
        _fill(report, fresh)
    return folder / _PAGE


def render_page(report: ReportInput) -> str:
    """Return the page, whole in itself: styles and pictures inside, nothing to load."""
    return environment().get_template("report.html.j2").render(_values(report, fans_of(report)))


def fans_of(report: ReportInput) -> list[Fan]:
    """Return what the charts show: in reading order or, without sections, the largest first."""
    fans = make_fans(report)
    if report.sections:
        return fans
    return sorted(
        (fan for fan in fans if len(fan.forecast)),
        key=lambda fan: (
            fan.destination != WORLD, fan.destination != EU27, -fan.last_year, fan.destination,
        ),
    )  # fmt: skip


def _fill(report: ReportInput, folder: Path) -> None:
    table = report.forecasts[list(FORECAST_COLUMNS)]
    table.to_csv(folder / "forecasts.csv", index=False, lineterminator="\n")
    report.scores.to_csv(folder / "scores.csv", index=False, lineterminator="\n")
    if report.sections:
        _table_of(report.bases).to_csv(folder / "destinations.csv", lineterminator="\n")
    (folder / _PAGE).write_text(render_page(report), encoding="utf-8")


def _table_of(bases: Mapping[str, Basis]) -> pd.DataFrame:
    names = pd.Index(in_reading_order(bases), name="destination")
    rows = [bases[name].record for name in names]
    return pd.DataFrame(rows, names, columns=list(BASIS_COLUMNS))


def _values(report: ReportInput, fans: list[Fan]) -> dict[str, object]:
    copula = copula_of(report.scores)
    outlooks = [outlook for fan in fans if (outlook := view.outlook_of(fan, copula))]
    sections = fans if report.sections else []
    shown = (sections or fans[:_MOST_DRAWN]) if report.pictures else []
    return {
        "report": report,
        "page_language": chosen(),
        "goods": full_words_of(report.commodity, {report.commodity: report.label}),
        "count": len({outlook.destination for outlook in outlooks} - {WORLD, EU27}),
        "outlooks": outlooks,
        "rated": any(outlook.coverage for outlook in outlooks),
        "headline": view.headline(outlooks[0])
        if outlooks
        else gettext("No month ahead is forecast."),
        "nowcast": view.nowcast(fans[0], copula),
        "overview": [(fan, view.picture_of(small_chart(fan), _SMALL_PX)) for fan in shown],
        "sections": [
            (fan, view.month_rows(fan), view.picture_of(fan_chart(fan)) if report.pictures else "")
            for fan in sections
        ],
        "reach": data_through(report.cutoff, report.bases if report.sections else {}),
        "bases": {name: basis_words(basis) for name, basis in report.bases.items()},
        "held": backtest_coverage(report.scores, fans),
        "suspicious": report.suspicious.to_dict("records"),
        "notes": [rendered(note) for note in report.notes],
        "statuses": view.statuses(sections),
        "colours": COLOURS,
        "dark_colours": DARK_COLOURS,
        **_scores(report),
    }


def _scores(report: ReportInput) -> dict[str, object]:
    scores = score_rows(without_components(report.scores))
    if not report.sections:
        scores = [row for row in scores if row.scope in {ALL, WORLD}]
    return {"scores": scores, "losses": losses(scores)}

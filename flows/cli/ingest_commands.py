"""``magnetcast ingest``: one command per source, file or figure."""

import re
import sys
from pathlib import Path
from typing import Annotated, Final, Literal, cast, get_args

import pandas as pd
from cyclopts import App, Parameter
from rich.prompt import Prompt

from flows.cli.options import DryRun
from flows.clock import utc_now
from flows.context.console import CONSOLE
from flows.context.stores import has_store, store_of
from flows.ingest.sources import (
    FIRST_MONTH,
    REVISED_MONTHS,
    IngestRequest,
    Past,
    by_hand,
    live,
    months_to_fetch,
)
from sources.bundled.policy_events import policy_events, tariff_rates
from sources.bundled.published_figures import published_figures, typed_figure
from sources.files.file_reader import parse_day
from sources.providers import BY_CODE, LIVE
from sources.providers.customs import CustomsDownload, Flow, refuse_other_table
from sources.providers.downloads import download
from store.errors import DataError, first_few
from store.facts.reading import read_calendar
from store.release_calendar import ReleaseCalendar
from store.settings import Settings

Table = Annotated[Path, Parameter(help="The table.")]

Day = Annotated[
    str | None, Parameter(name="--published-on", help="Day it was published, YYYY-MM-DD.")
]


def customs(
    file: Path,
    /,
    *,
    flow: Annotated[
        Flow | None, Parameter(help="Direction of the download; a terminal asks if left out.")
    ] = None,
    published_on: Day = None,
    unit: Annotated[
        Literal["kg", "t"] | None, Parameter(help="Unit of weight, if the file does not say.")
    ] = None,
    partial: Annotated[
        bool, Parameter(help="The file lacks partners; their sum is not the world.")
    ] = False,
    complete: Annotated[
        bool,
        Parameter(help="The file has all partners, whoever is missing; their sum is the world."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Load a download from China Customs, CSV or .xlsx: exports of 85051110 by partner.

    Files of imports look the same, so --flow states the direction. Without --published-on each
    month counts as known from the release of detailed figures.

    Args:
        file: The download, with Chinese or English headings.
        unit: Unit of weight, if the file does not say.
    """
    settings = Settings()
    refuse_other_table(file)
    calendar, day, direction = calendar_of(settings), _day(published_on), flow or _asked_flow(file)
    _ingest(
        settings,
        by_hand(
            lambda ingested_at: CustomsDownload(
                file,
                calendar,
                ingested_at,
                direction,
                day,
                unit or "",
                is_partial=partial,
                is_complete=complete,
            ).load(),
            f"in {file.name}",
            past="magnets",
        ),
        dry_run=dry_run,
    )


def figure(
    *,
    period: Annotated[str, Parameter(help="Month, year or range YYYY-MM..YYYY-MM.")],
    destination: Annotated[str, Parameter(help="ISO alpha-3, WLD or EU27.")],
    tonnes: Annotated[str, Parameter(help="Figure as printed; its digits set its precision.")],
    source: Annotated[str, Parameter(help="Address of the page, or name of the person.")],
    published_on: Day = None,
    note: Annotated[str, Parameter(help="Remark, e.g. 'about'.")] = "",
) -> None:
    """Load one published figure, known from today or from --published-on."""
    settings = Settings()
    calendar = calendar_of(settings)
    _ingest(
        settings,
        by_hand(
            lambda ingested_at: typed_figure(
                period=period,
                destination=destination,
                tonnes=tonnes,
                source=source,
                published_on=published_on or "",
                note=note,
                calendar=calendar,
                ingested_at=ingested_at,
            ),
            f"in the figure of {destination} in {period}",
            past="magnets",
        ),
    )


def figures(
    file: Table,
    /,
    *,
    materials: Annotated[
        bool,
        Parameter(
            negative="", help="Figures of other commodities or an index, by column `material`."
        ),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Load a table of published figures (CSV or YAML, columns as data/published_figures.csv)."""
    settings = Settings()
    calendar = calendar_of(settings)
    past: Past = "source" if materials else "magnets"
    order = by_hand(
        lambda _: published_figures(file, calendar, materials=materials),
        f"in {file.name}",
        past=past,
    )
    _ingest(settings, order, dry_run=dry_run)


def events(file: Table, /, *, dry_run: DryRun = False) -> None:
    """Load policy events (CSV or YAML, columns as data/policy_events.csv)."""
    order = by_hand(lambda _: policy_events(file), f"in {file.name}", past="nothing")
    _ingest(Settings(), order, dry_run=dry_run)


def tariffs(file: Table, /, *, dry_run: DryRun = False) -> None:
    """Load tariff steps (CSV or YAML, columns as data/tariff_rates.csv)."""
    order = by_hand(lambda _: tariff_rates(file), f"in {file.name}", past="nothing")
    _ingest(Settings(), order, dry_run=dry_run)


def _asked_flow(file: Path) -> Flow:
    if not (CONSOLE.is_terminal and sys.stdin.isatty()):
        raise DataError(
            f"{file.name} does not say whether it holds exports or imports: both have the same "
            "headings. Expected --flow export or --flow import. Check what was downloaded and add "
            "the option."
        )
    question = f"Does {file.name} hold China's exports or imports? The file does not say."
    answer = Prompt.ask(question, choices=list(get_args(Flow)), console=CONSOLE)
    return cast("Flow", answer)


def calendar_of(settings: Settings) -> ReleaseCalendar:
    """Calendar of the stored releases; of the rule alone if there is no store."""
    if not has_store(settings):
        return ReleaseCalendar({})
    return ReleaseCalendar.from_frame(read_calendar(store_of(settings)))


def _ingest(
    settings: Settings, request: IngestRequest | None, source: str = "", *, dry_run: bool = False
) -> None:
    from flows.ingest.ingest import ingest_exclusively, preview

    if dry_run:
        preview(settings, request)
        return
    ingest_exclusively(settings, request, source=source)


def _day(text: str | None) -> pd.Timestamp | None:
    if text is None:
        return None
    try:
        return parse_day(text)
    except ValueError as err:
        raise DataError(f"--published-on {text!r} is not {err}. Correct it.") from err


ingest = App(name="ingest")

Since = Annotated[
    str | None,
    Parameter(
        help=f"First month, YYYY-MM; {REVISED_MONTHS} months ago if left out, or {FIRST_MONTH}."
    ),
]
Until = Annotated[str | None, Parameter(help="Last month, YYYY-MM; the newest if left out.")]


@ingest.default
def _unnamed(
    file: Annotated[
        Path | None, Parameter(help="Downloaded file, recognised by its headings.")
    ] = None,
    /,
    *,
    flow: Annotated[
        Flow | None, Parameter(help="Direction of a download from China Customs.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Load a downloaded file, recognised by its headings; without a file the bundled tables."""
    if file is None:
        bundled(dry_run=dry_run)
    elif not file.is_file():
        names = sorted(name for name in ingest if not name.startswith("-"))
        raise DataError(
            f"{str(file)!r} is neither a file nor a source. Expected a downloaded file, one of "
            f"{', '.join(names)}, or nothing for the bundled tables. Correct it."
        )
    elif (batch := download(file, utc_now())) is None:
        customs(file, flow=flow, dry_run=dry_run)
    else:
        order = by_hand(lambda _: batch, f"in {file.name}", past="source")
        _ingest(Settings(), order, dry_run=dry_run)


@ingest.command
def bundled(*, dry_run: DryRun = False) -> None:
    """Load the bundled tables; files loaded before are skipped."""
    _ingest(Settings(), None, source="the bundled tables", dry_run=dry_run)


Codes = Annotated[
    str | None,
    Parameter(name="--commodity", help="Six-digit codes, CODE[,CODE...]; the magnets if left out."),
]


def _add(name: str) -> None:
    """Add the command of a provider; some providers publish any six-digit code."""

    def coded(
        *,
        commodity: Codes = None,
        since: Since = None,
        until: Until = None,
        dry_run: DryRun = False,
    ) -> None:
        settings, codes = Settings(), codes_of(commodity)
        months = months_to_fetch(settings, name, since=since, until=until, codes=codes)
        _ingest(settings, live(settings, name, months, codes=codes), source=name, dry_run=dry_run)

    def plain(*, since: Since = None, until: Until = None, dry_run: DryRun = False) -> None:
        coded(since=since, until=until, dry_run=dry_run)

    command = coded if name in BY_CODE else plain
    command.__doc__ = _HELP.get(name, f"Fetch what {name} publishes.")
    ingest.command(command, name=name.replace("_", "-"))


def codes_of(text: str | None) -> tuple[str, ...]:
    """Codes of a comma-separated list, each of six digits."""
    codes = () if text is None else tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if wrong := [code for code in codes if not re.fullmatch(r"\d{6}", code, re.ASCII)]:
        raise DataError(
            f"--commodity {first_few(wrong)} is not a six-digit code. Expected CODE[,CODE...], "
            "e.g. 811292,250410. Correct it."
        )
    return codes


_HELP: Final = {
    "comtrade": "Fetch China's exports by partner, magnets or other codes (UN Comtrade).",
    "hts": "Fetch the US tariff line of magnets with its chapter 99 footnotes (USITC HTS).",
    "federal_register": "Queue new Federal Register documents for review.",
    "mofcom": "Queue new announcements of China's commerce ministry for review.",
    "gacc": "Queue new announcements of China's customs for review.",
    "white_house": "Queue new presidential actions of the White House for review.",
    "cbp": "Queue new messages of US customs (CSMS) for review.",
}

for _name in LIVE:
    _add(_name)
for _command in (customs, figure, figures, events, tariffs):
    ingest.command(_command)

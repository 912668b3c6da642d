"""``magnetcast ingest ...``: one command a source, one way for all of them."""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Final

import pandas as pd
from cyclopts import App, Parameter

from flows.clock import utc_now
from sources.providers.month_range import MonthRange
from sources.providers.registry import BY_CODE, LIVE
from store.errors import DataError, first_few
from store.settings import Settings
from store.vocabulary import HS6

if TYPE_CHECKING:
    from flows.ingest.sources import IngestRequest

FIRST: Final = "2017-01"
"""First month asked for while the store holds nothing of a source."""

AGAIN: Final = 24
"""Months asked for anew, for providers revise them."""

_CODE: Final = re.compile(r"\d{6}", re.ASCII)

ingest = App(name="ingest", help="Load facts into the store; without a name the bundled tables.")

Since = Annotated[
    str | None,
    Parameter(
        help=f"First month, YYYY-MM. {AGAIN} months ago if left out, {FIRST} the first time."
    ),
]
Until = Annotated[
    str | None, Parameter(help="Last month, YYYY-MM. The newest there is if left out.")
]


@ingest.default
@ingest.command
def bundled() -> None:
    """Load the bundled tables; files already known are left as they are."""
    take(Settings(), None, source="the bundled tables")


Codes = Annotated[
    str | None,
    Parameter(
        name="--commodity", help="Six-digit codes, CODE[,CODE...]; that of magnets if left out."
    ),
]


def _coded(name: str) -> None:
    """Add the command of a provider that tells of any six-digit code."""

    def command(*, commodity: Codes = None, since: Since = None, until: Until = None) -> None:
        from flows.ingest.sources import live

        settings, codes = Settings(), codes_of(commodity)
        span = span_of(settings, name, since=since, until=until, codes=codes)
        take(settings, live(settings, name, span, codes=codes), source=name)

    command.__doc__ = _HELP[name]
    ingest.command(command, name=name)


def codes_of(text: str | None) -> tuple[str, ...]:
    """Return the codes of a list.

    Raises:
        DataError: One has not six digits.
    """
    codes = () if text is None else tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if wrong := [code for code in codes if not _CODE.fullmatch(code)]:
        raise DataError(
            f"--commodity {first_few(wrong)} is no six-digit code. Expected CODE[,CODE...], e.g. "
            "811292,250410. Correct it."
        )
    return codes


def _live(name: str) -> None:
    """Add the command of a provider."""

    def command(*, since: Since = None, until: Until = None) -> None:
        from flows.ingest.sources import live

        settings = Settings()
        span = span_of(settings, name, since=since, until=until)
        take(settings, live(settings, name, span), source=name)

    command.__doc__ = _HELP[name]
    ingest.command(command, name=name)


_HELP: Final = {
    "comtrade": "Fetch China's exports of magnets, or other codes, by partner from UN Comtrade.",
    "comtrade_mirror": "Fetch what partners report importing from China, UN Comtrade.",
    "census": "Fetch US imports of magnets by ten-digit line, with the duty paid, US Census.",
    "comext": "Fetch EU imports of magnets by member, Eurostat Comext.",
    "fx": "Fetch monthly exchange rates, ECB or FRED.",
    "gpr": "Fetch the monthly index of geopolitical risk.",
    "hts": "Fetch the US tariff line of magnets and its chapter 99 footnotes.",
    "federal_register": "Put new Federal Register documents up for review.",
}

for _name in LIVE:
    (_coded if _name in BY_CODE else _live)(_name)
for _name in ("customs", "figure", "figures", "events", "tariffs"):
    ingest.command(f"flows.cli.by_hand_commands:{_name}")


def span_of(
    settings: Settings,
    name: str,
    *,
    since: str | None,
    until: str | None,
    codes: Sequence[str] = (),
) -> MonthRange:
    """Return the months to ask for; all of them where the store holds nothing of some code.

    Raises:
        DataError: A month is none, or the last lies before the first.
    """
    this = pd.Period(utc_now().tz_localize(None), "M")
    last = this if until is None else _month("--until", until)
    first = _usual_first(settings, name, codes, this) if since is None else _month("--since", since)
    if first > this:
        raise DataError(
            f"--since {first} lies in the future. Expected {this} or earlier. Correct it."
        )
    try:
        return MonthRange(min(first, last) if since is None else first, last)
    except ValueError as err:
        raise DataError(str(err)) from err


def _usual_first(settings: Settings, name: str, codes: Sequence[str], this: pd.Period) -> pd.Period:
    from flows.context.stores import store_of
    from store.facts.reading import read_vintages

    vintages = read_vintages(store_of(settings))
    files = vintages.loc[vintages["source"].eq(name), "file_name"]
    if name in BY_CODE:
        begins = [name if code == HS6 else f"{name} {code}" for code in codes or (HS6,)]
        known = all(files.str.match(rf"{begin} \d{{4}}-").any() for begin in begins)
    else:
        known = len(files) > 0
    return this - AGAIN if known else pd.Period(FIRST, "M")


def _month(option: str, text: str) -> pd.Period:
    from sources.bundled.periods import parse_period

    try:
        period = parse_period(text)
    except ValueError:
        period = None
    if period is None or period.first != period.last:
        raise DataError(f"{option} {text!r} is no month. Expected YYYY-MM, e.g. 2026-08.")
    return pd.Period(period.first, "M")


def take(settings: Settings, order: "IngestRequest | None", *, source: str = "") -> None:
    """Ingest an order while no other process writes.

    Args:
        settings: Where things are kept.
        order: What to take, the bundled tables if None.
        source: What comes again by itself, so that trouble with it is noted until it succeeds;
            empty for what a person hands in and sees fail.
    """
    from flows.context.stores import single_writer
    from flows.ingest.ingest import ingest as flow
    from flows.monitoring.run_marker import noted

    note = noted(settings, f"the ingest of {source}") if source else nullcontext()
    with single_writer(settings), note:
        flow(settings, order)

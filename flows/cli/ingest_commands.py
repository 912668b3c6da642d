"""``magnetcast ingest ...``: one command a source, one way for all of them."""

import re
from typing import Annotated, Final

from cyclopts import App, Parameter

from flows.cli.by_hand_commands import customs, events, figure, figures, tariffs
from flows.ingest.sources import FIRST_MONTH, REVISED_MONTHS
from sources.providers.registry import BY_CODE, LIVE
from store.errors import DataError, first_few
from store.settings import Settings

_CODE: Final = re.compile(r"\d{6}", re.ASCII)

ingest = App(name="ingest")

Since = Annotated[
    str | None,
    Parameter(
        help=f"First month, YYYY-MM; {REVISED_MONTHS} months ago if left out, or {FIRST_MONTH}."
    ),
]
Until = Annotated[
    str | None, Parameter(help="Last month, YYYY-MM. The newest available if left out.")
]


@ingest.default
@ingest.command
def bundled() -> None:
    """Load the bundled tables; files already known are left as they are."""
    from flows.ingest.ingest import ingest_exclusively

    ingest_exclusively(Settings(), None, source="the bundled tables")


Codes = Annotated[
    str | None,
    Parameter(name="--commodity", help="Six-digit codes, CODE[,CODE...]; magnets if left out."),
]


def _coded(name: str) -> None:
    """Add the command of a provider that has any six-digit code."""

    def command(*, commodity: Codes = None, since: Since = None, until: Until = None) -> None:
        from flows.ingest.ingest import ingest_exclusively
        from flows.ingest.sources import live, months_to_fetch

        settings, codes = Settings(), codes_of(commodity)
        months = months_to_fetch(settings, name, since=since, until=until, codes=codes)
        ingest_exclusively(settings, live(settings, name, months, codes=codes), source=name)

    command.__doc__ = _HELP[name]
    ingest.command(command, name=_spelled(name))


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
        from flows.ingest.ingest import ingest_exclusively
        from flows.ingest.sources import live, months_to_fetch

        settings = Settings()
        months = months_to_fetch(settings, name, since=since, until=until)
        ingest_exclusively(settings, live(settings, name, months), source=name)

    command.__doc__ = _HELP[name]
    ingest.command(command, name=_spelled(name))


def _spelled(name: str) -> tuple[str, ...]:
    """Return a source's name as commands are spelled, then as it is stored where that differs."""
    return tuple(dict.fromkeys((name.replace("_", "-"), name)))


_HELP: Final = {
    "comtrade": "Fetch China's exports by partner, magnets or other codes (UN Comtrade).",
    "comtrade_mirror": "Fetch what partners report importing from China (UN Comtrade).",
    "census": "Fetch US imports of magnets by ten-digit line with the duty paid (US Census).",
    "comext": "Fetch EU imports of magnets by member state (Eurostat Comext).",
    "fx": "Fetch monthly exchange rates (ECB or FRED).",
    "gpr": "Fetch the monthly geopolitical risk index.",
    "hts": "Fetch the US tariff line of magnets with its chapter 99 footnotes (USITC HTS).",
    "federal_register": "Queue new Federal Register documents for review.",
}

for _name in LIVE:
    (_coded if _name in BY_CODE else _live)(_name)
for _command in (customs, figure, figures, events, tariffs):
    ingest.command(_command)

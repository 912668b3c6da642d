"""Guards: plausibility checks of a batch before anything is stored.

Nothing here changes or repairs a row, and stored rows are not checked again. Each objection is one
text: what is wrong, where, what was expected and what to do. Correct tables raise none,
however short, sparse or volatile.
"""

from typing import Final

import pandas as pd

from sources.base import SourceInfo
from sources.checks.cells import listed, mark_new, month_cells, objection, reason
from sources.checks.flow_guard import direction
from sources.checks.series_guards import flat_lines, missing_cells, repeated_months, world_mismatch
from sources.checks.unit_guards import units
from sources.providers.registry import BY_CODE
from store.errors import SHOWN, DataError
from store.facts.batch import FileRows
from store.facts.writing import PROPOSALS
from store.schema.frame_schemas import SCHEMAS, validate
from store.schema.tables import metadata, natural_key

FIRST_MONTH: Final = pd.Timestamp("1988-01-01")
"""The Harmonized System started then; no code used here is older."""

LATENESS: Final = pd.Timedelta(days=1)
"""How far a provider's clock may run ahead of ours."""

_TABLES: Final = {*SCHEMAS} & {*metadata.tables, PROPOSALS}

_KEYED: Final = ["source", "destination", "measure"]


def broken_schemas(file: FileRows) -> list[str]:
    """Object to tables that break their schema."""
    found = []
    for name, frame in file.tables.items():
        if name not in _TABLES:
            found.append(
                reason(
                    f"Unknown table {name!r}",
                    file,
                    expected=f"one of {', '.join(sorted(_TABLES))}",
                    remedy="Correct the source.",
                )
            )
            continue
        try:
            validate(frame, name, where=f"{file.file_name} of {file.source}")
        except DataError as err:
            found.append(str(err))
    return found


def duplicates(file: FileRows) -> list[str]:
    """Object to duplicate rows."""
    found = []
    for name, frame in file.tables.items():
        key = ["source", "item_key"] if name == PROPOSALS else [*natural_key(metadata.tables[name])]
        twice = frame[frame.duplicated(key)]
        found += objection(
            f"{len(twice)} of {len(frame)} rows of {name} are duplicates",
            [_named(row) for row in _records(twice[key])],
            file,
            expected="each cell once",
            remedy="Check for a page delivered twice, or rows split by transport or customs "
            "regime, which would be counted twice.",
        )
    return found


def impossible_dates(file: FileRows, *, now: pd.Timestamp) -> list[str]:
    """Object to impossible months and moments."""
    found = []
    for name, frame in file.tables.items():
        for what, bad in _date_faults(frame, now):
            found += objection(
                f"{int(bad.sum())} of {len(frame)} rows of {name} {what}",
                [_dated(row) for row in _records(frame[bad])],
                file,
                expected=f"ended months since {FIRST_MONTH:%Y-%m}, known after their end and no "
                f"later than {now + LATENESS:%Y-%m-%d}",
                remedy="Correct the dates at their source (an end that is announced ahead needs "
                "its end_known_on), or this machine's clock.",
            )
    return found


def mixed_keys(file: FileRows, *, known: pd.DataFrame) -> list[str]:
    """Object to other commodities, and to one series under codes of different width."""
    if (frame := file.tables.get("observations")) is None:
        return []
    return [*_unknown_keys(file, frame), *_widths(file, frame, known)]


def _date_faults(frame: pd.DataFrame, now: pd.Timestamp) -> list[tuple[str, pd.Series]]:
    """Return each kind of impossible date with the rows that have it."""
    faults: list[tuple[str, pd.Series]] = []
    if "available_at" not in frame.columns:
        return faults
    known_at = frame["available_at"]
    last = next((name for name in ("period_to", "period") if name in frame.columns), None)
    is_calendar = "released_on" in frame.columns
    if last is not None and not is_calendar:
        ended = (frame[last] + pd.offsets.MonthBegin(1)).dt.tz_localize("UTC")
        first = frame["period_from" if "period_from" in frame.columns else last]
        faults += [
            ("lie in months not over yet", ended > now),
            (f"lie before {FIRST_MONTH:%Y-%m}", first < FIRST_MONTH),
            ("are known before their month was over", (known_at < ended) & (ended <= now)),
        ]
    if "announced_on" in frame.columns:
        announced = frame["announced_on"].dt.tz_localize("UTC")
        faults.append(("are known before they were announced", known_at < announced))
    faults.append(("are known only in the future", known_at > now + LATENESS))
    return faults


def _unknown_keys(file: FileRows, frame: pd.DataFrame) -> list[str]:
    keys = frame["commodity"].drop_duplicates()
    is_code = keys.str.fullmatch(r"[A-Z]{0,2}\d+")
    is_ours = keys.str.fullmatch(_OURS)
    if file.source in BY_CODE:
        is_ours |= keys.str.fullmatch(_SIX)  # requested by their code
    strange = keys[is_code & ~is_ours].tolist()
    if not strange:
        return []
    return [
        reason(
            f"Commodity {listed(strange)} is not rare-earth magnets",
            file,
            expected="85051110, 850511, CN85051110, CN85051100 or US85051100xx",
            remedy="Request these codes only; the weight of other magnets must not be mixed in.",
        )
    ]


_SIX: Final = r"\d{6}"
"""Six digits, which all countries share."""

_OURS: Final = r"850511(10)?|CN850511(10|00)|US8505110[0-9]{3}"
"""Keys of magnets; other commodities have names."""


def _widths(file: FileRows, frame: pd.DataFrame, known: pd.DataFrame) -> list[str]:
    """Object where one series comes under codes of different width."""
    rows = pd.concat([part[[*_KEYED, "commodity"]] for part in (frame, known)]).drop_duplicates()
    rows = rows[rows["commodity"].str.fullmatch(_OURS)]
    form = rows["commodity"].str.replace(r"\d", "0", regex=True)
    forms = rows.assign(form=form).drop_duplicates([*_KEYED, "form"])
    many = forms[forms.duplicated(_KEYED, keep=False)].merge(frame[_KEYED].drop_duplicates())
    codes = many.groupby(_KEYED)["commodity"].agg(lambda names: " and ".join(sorted(names)))
    named = codes.reset_index().itertuples()
    return objection(
        "Codes of different width are mixed",
        [f"{row.destination} {row.measure} under {row.commodity}" for row in named],
        file,
        expected="one width of code per source, destination and measure, for 850511 holds other "
        "metal magnets that 85051110 does not",
        remedy="Ingest each code from its own source.",
    )


def _records(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return the first few rows as texts, moments as days."""
    rows = frame.head(SHOWN)
    moments = rows.select_dtypes(["datetime", "datetimetz"]).columns
    days = {name: rows[name].dt.strftime("%Y-%m-%d").fillna("") for name in moments}
    texts = rows.assign(**days).astype(str)
    return [
        dict(zip(texts.columns, row, strict=True))
        for row in texts.itertuples(index=False, name=None)
    ]


def _named(row: dict[str, str]) -> str:
    return " ".join(value for value in row.values() if value)


def _dated(row: dict[str, str]) -> str:
    names = ("destination", "measure", "importer", "component", "event_id", "name")
    dates = ("period_from", "period_to", "period", "announced_on", "available_at")
    values = [row[name] for name in names if row.get(name)]
    return " ".join([*values, *(f"{name} {row[name]}" for name in dates if row.get(name))])


def objections(
    file: FileRows, *, known: pd.DataFrame, info: SourceInfo, now: pd.Timestamp
) -> tuple[str, ...]:
    """Return the objections to a batch; empty if there are none.

    Args:
        file: rows as the source made them; not modified.
        known: stored observations of that source, all versions; not modified.
        info: the properties of the source.
        now: the moment of the ingest (UTC).
    """
    if broken := broken_schemas(file):
        return tuple(broken)
    found = [
        *duplicates(file),
        *impossible_dates(file, now=now),
        *mixed_keys(file, known=known),
    ]
    if "observations" in file.tables and len(file.tables["observations"]):
        old = month_cells(known)
        new = mark_new(old, month_cells(file.tables["observations"]))
        found += units(file, new, old)
        found += flat_lines(file, new, old)
        found += repeated_months(file, new, old)
        found += world_mismatch(file, new, info)
        found += missing_cells(file, new, old, info)
        found += direction(file, new, old, info)
    return tuple(found)

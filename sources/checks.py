"""Plausibility checks of a batch before anything is stored; a refused batch waits in quarantine.

Nothing here changes or repairs a row, and stored rows are not checked again. Each objection is one
text: what is wrong, where, what was expected and what to do. Correct tables raise none,
however short, sparse or volatile.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from sources.bundled.notation import COUNTRIES
from sources.files.file_reader import package_table
from sources.providers import BY_CODE
from store.errors import DataError, first_few
from store.facts.batch import SUM_NOTE, FileRows
from store.facts.commodities import RESIDUAL, residual_names, under_china_code
from store.facts.writing import PROPOSALS
from store.schema.database_tables import metadata, natural_key
from store.schema.frame_schemas import validate
from store.vocabulary import COMMODITY, EU27, ORIGIN, UNITS, WORLD

FIRST_MONTH: Final = pd.Timestamp("1988-01-01")
"""First month of the Harmonized System; no code used here is older."""

LATENESS: Final = pd.Timedelta(days=1)
"""Lead that a provider's clock may have over ours."""

_LEVELS: Final = tuple(
    name for name, unit in UNITS.items() if unit != "pct" and name not in {"lead_min_t", "index"}
)
"""Measures that are amounts, so that months can be compared and summed."""

CELL: Final = ["source", "commodity", "origin", "destination", "measure", "period_from"]
"""Columns that name one amount."""

PLAUSIBLE: Final = (1_000.0, 5_000_000.0)
"""Dollars per tonne. Magnets cost about 50,000; an error by a factor of 1,000 lies outside."""

MATERIAL_MUSD: Final = 0.1
"""Value a destination must reach to be checked: tiny parcels may have any price."""

MATERIAL_T: Final = 2.0
"""Weight from which it is checked too, in case the value is what is wrong."""

LARGEST_T: Final = 100_000.0
"""Far above any month of the world, which is about 6,000 t."""

LEAP: Final = 50.0
"""Ratio to the largest month so far of a destination of some size with a year of history."""

SIZE_T: Final = 10.0
"""Tonnes a month from which a destination's weights are compared."""

STEADY_MONTHS: Final = 6
"""Months known, all of some size, after which a zero is implausible."""

TOLERANCE: Final = 0.02
"""Share by which a world total may differ from the sum of its destinations."""

FULL_TABLE: Final = 20
"""Destinations from which a month counts as a full table, whose sum must reach the total; and
cells of a usual month for a new one to be compared with it."""

_SAME_MONTH: Final = 1.5
"""Median ratio to other sources' figures of the same destinations and months; they differ by a few
percent, China's imports and exports by five and more."""

USUAL: Final = 6.0
"""Median ratio to the usual month of the same destinations, for a table without values of a month
nobody else knows; in May 2025, the deepest fall so far, it was about 4."""

PRICE_SPREADS: Final = 4.0
"""Spreads of a partner's own monthly prices within which a price of exports lies..."""

LEAST_PRICE_SPREAD: Final = 0.10
"""...which is at least this much (log units), however still the last months were..."""

LEAST_PRICED: Final = 6
"""...from so many months on..."""

PARTNER_SPREAD: Final = 0.15
"""...and this much where a partner without a history is held against the world: in December 2020
six partners paid from 0.80 to 1.22 of its price."""

_VALUES: Final = {
    "net_weight_t": ("value_musd",),
    "mirror_import_t": ("mirror_import_musd", "mirror_import_meur"),
}
"""Values that belong to each weight; a euro is close enough to a dollar."""

_HISTORY: Final = 12
_FLOW: Final = ["commodity", "origin", "destination"]
_WEIGHT: Final = [*_FLOW, "measure"]
_TABLE: Final = ["source", "commodity", "origin", "measure", "period_from"]

_OURS: Final = "850511(10)?"
"""Keys of magnets; other commodities have names."""


def objections(
    file: FileRows, *, stored: pd.DataFrame, ingested_at: pd.Timestamp
) -> tuple[str, ...]:
    """Objections to a batch; empty if there are none.

    Args:
        file: Rows as the source gives them; not modified.
        stored: Observations of that source in the store, all versions; not modified.
        ingested_at: The moment of the ingest (UTC).
    """
    if broken := _broken_schemas(file):
        return tuple(broken)
    reasons = [*_duplicates(file), *_impossible_dates(file, ingested_at)]
    rows = file.tables.get("observations")
    if rows is None:
        return tuple(reasons)
    reasons += [*_unknown_codes(file, rows), *_unknown_partners(file, rows)]
    if len(rows):
        old = month_cells(stored)
        new = mark_new(old, month_cells(rows))
        priced = _with_new(new, ["source", *_FLOW, "period_from"])
        reasons += _prices(file, priced)
        reasons += _weights(file, priced, old)
        reasons += _world_mismatch(file, new)
        reasons += _published_worlds(file, new, old)
        if file.completeness is not None:
            reasons += _missing_cells(file, new, old, file.completeness)
            reasons += _direction(file, new, old)
            reasons += _unusual_prices(file, priced, stored)
    return tuple(reasons)


def month_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Usable reported amounts of single months, one row per cell: the newest version.

    Args:
        frame: Observations; not modified.
    """
    wanted = (
        frame["measure"].isin(_LEVELS)
        & frame["usable"]
        & frame["kind"].eq("reported")
        & frame["period_from"].eq(frame["period_to"])
    )
    rows = frame.loc[wanted].sort_values("available_at", kind="stable")
    return rows.drop_duplicates(CELL, keep="last", ignore_index=True)


def mark_new(stored: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """New cells with ``is_new``: false where the store holds the same amount."""
    before = stored[[*CELL, "value"]].rename(columns={"value": "before"})
    rows = new.merge(before, on=CELL, how="left")
    is_new = ~(rows["value"] - rows["before"]).abs().lt(1e-9)
    return rows.assign(is_new=is_new).drop(columns="before")


def _with_new(cells: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    return cells[cells.groupby(key)["is_new"].transform("any").astype(bool)]


def _objection(
    check: str, rows: Iterable[str], file: FileRows, *, of: int = 0, **values: object
) -> list[str]:
    """The objection of a check to some rows of ``of``, named in it; none if there are none."""
    if not (names := sorted(rows)):
        return []
    parts = {"count": len(names), "of": of, **values}
    fault, expected, remedy = (
        text.format(**parts) for text in package_table("checks.yaml")[check].values()
    )
    named = f": {first_few(names)}" if any(names) else ""
    return [f"{fault}{named}, in {file.file_name} of {file.source}. Expected {expected}. {remedy}"]


def _places(rows: pd.DataFrame) -> list[str]:
    named = rows[["destination", "period_from", "value"]].itertuples(index=False)
    return [f"{row.destination} {row.period_from:%Y-%m} {row.value:,.0f} t" for row in named]


def _named(frame: pd.DataFrame, name: str) -> list[str]:
    """Key of each row of a table in words."""
    key = ["source", "item_key"] if name == PROPOSALS else [*natural_key(metadata.tables[name])]
    return [" ".join(row) for row in frame[key].astype("str").to_numpy().tolist()]


def _broken_schemas(file: FileRows) -> list[str]:
    reasons = []
    for name, frame in file.tables.items():
        try:
            validate(frame, name, where=f"{file.file_name} of {file.source}")
        except DataError as err:
            reasons.append(str(err))
    return reasons


def _duplicates(file: FileRows) -> list[str]:
    reasons = []
    for name, frame in file.tables.items():
        names = pd.Series(_named(frame, name), dtype="str")
        twice = names[names.duplicated()]
        reasons += _objection("duplicates", twice, file, of=len(frame), table=name)
    return reasons


def _impossible_dates(file: FileRows, ingested_at: pd.Timestamp) -> list[str]:
    reasons = []
    for name, frame in file.tables.items():
        for fault, bad in _date_faults(frame, ingested_at):
            span = {"first": FIRST_MONTH, "latest": ingested_at + LATENESS}
            names, words = _named(frame[bad], name), {"table": name, "fault": fault, **span}
            reasons += _objection("dates", names, file, of=len(frame), **words)
    return reasons


def _date_faults(frame: pd.DataFrame, ingested_at: pd.Timestamp) -> list[tuple[str, pd.Series]]:
    faults: list[tuple[str, pd.Series]] = []
    if "available_at" not in frame.columns:
        return faults
    known_at = frame["available_at"]
    if "period_to" in frame.columns and "released_on" not in frame.columns:
        ended = (frame["period_to"] + pd.offsets.MonthBegin(1)).dt.tz_localize("UTC")
        faults += [
            ("lie in months that have not ended", ended > ingested_at),
            (f"lie before {FIRST_MONTH:%Y-%m}", frame["period_from"] < FIRST_MONTH),
            (
                "are dated before the end of their month",
                (known_at < ended) & (ended <= ingested_at),
            ),
        ]
    faults.append(("are dated in the future", known_at > ingested_at + LATENESS))
    return faults


def _unknown_codes(file: FileRows, frame: pd.DataFrame) -> list[str]:
    keys = frame["commodity"].drop_duplicates()
    is_ours = keys.str.fullmatch(_OURS) | ~keys.str.fullmatch(r"[A-Z]{0,2}\d+")
    if file.source in BY_CODE:
        is_ours |= keys.str.fullmatch(r"\d{6}")  # requested by their code
    return _objection("codes", keys[~is_ours], file)


def _unknown_partners(file: FileRows, frame: pd.DataFrame) -> list[str]:
    places = frame.loc[frame["destination"].str.fullmatch(RESIDUAL), "destination"]
    unknown = {place[1:] for place in places if place not in residual_names()}
    return _objection("partners", unknown, file)


def _median_prices(cells: pd.DataFrame) -> "pd.Series[float]":
    key = ["source", *_FLOW, "period_from"]
    positive = cells[cells["value"].gt(0)]
    parts = []
    for weight, values in _VALUES.items():
        tonnes = positive.loc[positive["measure"].eq(weight), [*key, "value"]]
        for value in values:
            musd = positive.loc[positive["measure"].eq(value), [*key, "value"]]
            parts.append(tonnes.merge(musd, on=key, suffixes=("_t", "_musd")))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.assign(price=rows["value_musd"] * 1e6 / rows["value_t"])
    flows = rows.groupby(_FLOW).agg(
        price=("price", "median"), musd=("value_musd", "sum"), tonnes=("value_t", "sum")
    )
    is_material = flows["musd"].ge(MATERIAL_MUSD) | flows["tonnes"].ge(MATERIAL_T)
    return flows.loc[is_material, "price"]


def _prices(file: FileRows, new: pd.DataFrame) -> list[str]:
    """Object to prices that are wrong by about a thousand: kilograms given as tonnes."""
    medians = _median_prices(new)
    wrong = medians[~medians.between(*PLAUSIBLE)]
    named = [
        f"{row.destination} {row.price:,.0f} USD/t" for row in wrong.reset_index().itertuples()
    ]
    low, high = PLAUSIBLE
    return _objection("prices", named, file, of=len(medians), low=low, high=high)


def _weights(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object to weights that are wrong by about a thousand, whatever their values."""
    new, old = (cells[cells["measure"].isin(list(_VALUES))] for cells in (new, old))
    ours = new["commodity"].str.contains(COMMODITY[:6], regex=False)
    impossible = new[ours & new["value"].gt(LARGEST_T)]
    history = old.groupby(_WEIGHT)["value"].agg(["min", "max", "size"])
    cells = new.join(history, on=_WEIGHT, how="inner")
    is_long = (cells["size"] >= _HISTORY) & (cells["max"] >= SIZE_T)
    leaps = cells[is_long & (cells["value"] > LEAP * cells["max"])]
    # A list of partners may well have zeros under a control.
    is_steady = (
        (cells["size"] >= STEADY_MONTHS) & (cells["min"] >= SIZE_T) & (file.completeness is None)
    )
    zeros = cells[is_steady & cells["is_new"] & cells["value"].eq(0)]
    return [
        *_objection("weights", _places(impossible), file, largest=LARGEST_T),
        *_objection("leaps", _places(leaps), file, leap=LEAP),
        *_objection("zeros", _places(zeros), file, size=SIZE_T),
    ]


def _world_mismatch(file: FileRows, new: pd.DataFrame) -> list[str]:
    """Object to a total that its destinations exceed or, in a full table, fall short of."""
    new = _with_new(new, _TABLE)
    # Areas that are no country, such as "not elsewhere specified", count by their number.
    unnamed = new["destination"].str.fullmatch(rf"X\d{{3}}|{RESIDUAL}")
    parts = new[new["destination"].isin(COUNTRIES) | unnamed].groupby(_TABLE)
    sums = parts.agg(total=("value", "sum"), cells=("value", "count"), widths=("half_width", "sum"))
    world = new[new["destination"].eq(WORLD)].set_index(_TABLE)[["value", "half_width"]]
    tables = world.join(sums, how="inner")
    slack = TOLERANCE * tables["value"] + tables["half_width"] + tables["widths"]
    is_full = tables["cells"].ge(FULL_TABLE) | (file.completeness is not None)
    beyond = tables["total"] - tables["value"]
    wrong = tables[(beyond > slack) | (is_full & (-beyond > slack))]
    named = [
        f"{row.period_from:%Y-%m} {row.measure}: total {row.value:,.6g}, sum {row.total:,.6g}"
        for row in wrong.reset_index().itertuples()
    ]
    return _objection("world", named, file, of=len(tables), tolerance=TOLERANCE)


def _published_worlds(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object to a sum of partners that is not the published world of its month."""
    new, old = (cells[cells["destination"].eq(WORLD)] for cells in (new, old))
    sums = new[new["note"].str.startswith(SUM_NOTE)]
    published = old[~old["note"].str.startswith(SUM_NOTE)]
    pairs = sums.merge(published, on=[*_WEIGHT, "period_from"], suffixes=("", "_published"))
    # What is printed may be rounded or cut off.
    slack = pairs["half_width"] + 2 * pairs["half_width_published"]
    excess = (pairs["value"] - pairs["value_published"]).abs() - slack
    nearest = pairs.assign(excess=excess).sort_values("excess").drop_duplicates(_TABLE)
    wrong = nearest[nearest["excess"].gt(0)]
    named = [
        f"{row.period_from:%Y-%m} {row.measure}: sum {row.value:,.6g}, published "
        f"{row.value_published:,.6g} by {row.source_published}"
        for row in wrong.itertuples()
    ]
    return _objection("published", named, file, of=len(pairs))


def _missing_cells(file: FileRows, new: pd.DataFrame, old: pd.DataFrame, share: float) -> list[str]:
    """Object to a batch with too few of the known cells, or a new month with too few cells."""
    if old.empty:
        return []
    first, last = new["period_from"].min(), new["period_from"].max()
    expected = old[old["source"].eq(file.source) & old["period_from"].between(first, last)]
    held = len(expected[CELL].merge(new[CELL]))
    if held < share * len(expected):
        short = [(held, len(expected), f"the months {first:%Y-%m} to {last:%Y-%m}")]
    else:
        per_month = old.groupby("period_from").size()
        usual = float(per_month.tail(6).median()) if len(per_month) else 0.0
        new_months = new[~new["period_from"].isin(per_month.index)].groupby("period_from").size()
        thin = new_months[(new_months < share * usual) & (usual >= FULL_TABLE)]
        short = [(n, round(usual), f"the month {month:%Y-%m}") for month, n in thin.items()]
    return [
        reason
        for cells, of, where in short
        for reason in _objection(
            "missing", [""], file, count=cells, of=of, where=where, share=share
        )
    ]


def _direction(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object to a table by partner whose weights are not those known of China's exports.

    A table of imports has the headings of one of exports.
    """
    new_weights, stored_weights = (
        cells[under_china_code(cells) & cells["measure"].eq("net_weight_t")]
        for cells in (new[new["is_new"]], old)
    )
    to_china = new_weights[new_weights["destination"].eq(ORIGIN)]
    other_sources = stored_weights[stored_weights["source"].ne(file.source)]
    pairs = new_weights.merge(other_sources, on=[*_WEIGHT, "period_from"], suffixes=("", "_known"))
    factor, when = _SAME_MONTH, "in the same months, from other sources"
    has_values = new["measure"].eq("value_musd").any()  # whose prices tell more
    if not has_values and not (pairs[["value", "value_known"]].max(axis=1) >= SIZE_T).any():
        usual, stored = _usual_month(new_weights), _usual_month(stored_weights)
        pairs = usual.merge(stored, on=_WEIGHT, suffixes=("", "_known"))
        factor, when = USUAL, "in a usual month"
    large = pairs[pairs[["value", "value_known"]].max(axis=1) >= SIZE_T]
    ratios = large["value"].clip(lower=0.001) / large["value_known"].clip(lower=0.001)
    apart = len(large) > 0 and np.median(np.maximum(ratios, 1 / ratios)) > factor
    named = [
        f"{row.destination} {row.value:,.1f} t against {row.value_known:,.1f} t"
        for row in (large if apart else large.iloc[:0]).itertuples()
    ]
    months = [f"{month:%Y-%m}" for month in to_china["period_from"]]
    return [
        *_objection("imports", months, file),
        *_objection("direction", named, file, of=len(large), when=when, factor=factor),
    ]


def _usual_month(cells: pd.DataFrame) -> pd.DataFrame:
    return cells[cells["value"].gt(0)].groupby(_WEIGHT)["value"].median().reset_index()


def _unusual_prices(file: FileRows, priced: pd.DataFrame, stored: pd.DataFrame) -> list[str]:
    """Objections if most of the value has prices far from what its partners usually pay."""
    prices = _monthly_prices(priced)
    usual_prices = _usual_prices(_monthly_prices(stored))
    if prices.empty or usual_prices.empty:
        return []
    flows = prices.groupby("destination").agg(price=("price", "median"), musd=("value_musd", "sum"))
    partners = flows.drop(index=[WORLD, EU27], errors="ignore")
    flows = (partners if len(partners) else flows).join(usual_prices)
    world = usual_prices.reindex([WORLD]).iloc[0]
    flows["spread"] = flows["spread"].fillna(np.maximum(world["spread"], PARTNER_SPREAD))
    flows["middle"] = flows["middle"].fillna(world["middle"])
    flows["tolerance"] = PRICE_SPREADS * flows["spread"]
    log_distance = (np.log(flows["price"]) - flows["middle"]).abs()
    outliers = flows[log_distance > flows["tolerance"]]
    is_unusual = outliers["musd"].sum() > flows["musd"].sum() / 2
    named = [
        f"{row.Index} {row.price:,.1f} USD/kg against {np.exp(row.middle - row.tolerance):,.1f} to "
        f"{np.exp(row.middle + row.tolerance):,.1f}"
        for row in (outliers if is_unusual else outliers.iloc[:0]).itertuples()
    ]
    return _objection("unusual", named, file, months=LEAST_PRICED)


def _monthly_prices(cells: pd.DataFrame) -> pd.DataFrame:
    measures = ["net_weight_t", "value_musd"]
    is_month = cells["period_from"].eq(cells["period_to"]) & cells["usable"]
    ours = under_china_code(cells) & cells["measure"].isin(measures)
    amounts = cells[ours & is_month & cells["value"].gt(0)].pivot_table(
        index=["destination", "period_from"], columns="measure", values="value", aggfunc="median"
    )
    complete = amounts.reindex(columns=measures).dropna()
    return complete.assign(price=1e3 * complete["value_musd"] / complete["net_weight_t"])


def _usual_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Median and spread of the logs of each destination's prices in its last two years."""
    logs = np.log(prices["price"]).reset_index("period_from")
    newest = logs.groupby("destination")["period_from"].transform("max")
    recent = logs[logs["period_from"] > newest - pd.DateOffset(months=24)].groupby("destination")
    usual: pd.DataFrame = recent["price"].agg(
        middle="median",
        spread=lambda logs: max(1.4826 * (logs - logs.median()).abs().median(), LEAST_PRICE_SPREAD),
        months="size",
    )
    return usual[usual["months"] >= LEAST_PRICED].drop(columns="months")

"""How long a full partner table of 150 destinations takes in an empty store, and how good it is.

Fills a fresh store with made-up months of all partners, runs `magnetcast run --commodity 850511`
twice in it and reads the published scores. The folder is removed afterwards. Writes tables.md.
"""

import tempfile
import time
from pathlib import Path

import page
import pandas as pd
from watch import CLI, MEMORY_TEXT, Measured, home_below, measure

from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_forecasts, read_scores
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.partner_builders import make_partner_world

COMMODITY = "850511"
PARTNERS, MONTHS = 150, 118
AS_OF = "2026-11-25"
AIM_S = 120
SCOPES = {"ALL": "all series", "WLD": "world", "EU27": "EU27"}

INTRODUCTION = f"""
{PARTNERS} partners, {MONTHS} months from January 2017, each known 25 days after its end. Sizes
span five orders of magnitude, every partner has a season and wanders, small ones ship in some
months only; a month without a shipment has no row, as in the real tables. The store and MLflow's
database are new. The first run replays four past tables, forecasts, reports and publishes; the
second finds nothing new.
"""

ACCURACY = """
Forecasts from the tables as they were known 12, 9, 6 and 3 months before, months 1 to 6 ahead, on
what is known now. Made-up numbers: they show that the machinery holds, not how well real trade can
be forecast.
"""


def fill(url: str) -> tuple[int, float]:
    """Write the made-up table and return its rows and the seconds that took."""
    rows = make_partner_world(partners=PARTNERS, months=MONTHS, first="2017-01").rows()
    engine = open_store(url)
    started = time.perf_counter()
    file = FileRows("comtrade", "made-up", "0" * 64, {"observations": rows})
    write_batch(engine, Batch((file,)))
    engine.dispose()
    return len(rows), time.perf_counter() - started


def measured(folder: Path) -> list[Measured]:
    """Return what the first and the second run took."""
    command = [*CLI, "run", "--commodity", COMMODITY, "--as-of", AS_OF]
    return [measure(command, log=folder / "log", environment=home_below(folder)) for _ in range(2)]


def times(found: list[Measured]) -> pd.DataFrame:
    aims = (f"<= {AIM_S}", "")
    return pd.DataFrame(
        {
            "command": f"`magnetcast run --commodity {COMMODITY}`" + suffix,
            "seconds": f"{one.seconds:.0f}",
            "aim s": aim,
            "peak memory MB": f"{one.peak_mb:,.0f}",
        }
        for one, aim, suffix in zip(found, aims, ("", " again"), strict=True)
    )


def accuracy(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each model beside each other."""
    own = scores["model"].str.startswith("partners-")
    result = scores.assign(model=scores["model"].mask(own, "magnetcast"))
    wide = result.pivot_table(index=["scope", "model"], columns="metric", values="value")
    cells = result.groupby(["scope", "model"])["cells"].max()
    rows = []
    for scope, words in SCOPES.items():
        for model in ("magnetcast", "seasonal_naive", "last_value"):
            score = wide.loc[(scope, model)]
            rows.append(
                {
                    "what": words,
                    "model": model,
                    "error (WAPE)": f"{score['wape']:.1%}",
                    "MASE": f"{score['mase']:.3f}",
                    "SQL": f"{score['sql']:.3f}",
                    "in 80% band": f"{score['coverage80']:.0%}",
                    "months": f"{cells[scope, model]:,}",
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'var' / 'magnetcast.db'}"
        count, seconds = fill(url)
        found = measured(folder)
        engine = open_store(url)
        published = read_forecasts(engine, commodity=COMMODITY)
        scores = read_scores(engine, commodity=COMMODITY)
        engine.dispose()
    names = published["destination"].nunique()
    result = (
        f"{count:,} rows were written in {seconds:.1f} s; {len(published):,} rows of {names} "
        f"series were published. Settings are the defaults ({Settings().threads} threads)."
    )
    lines = page.heading("Full partner tables", "python benchmarks/tables.py", result)
    lines += [*page.prose(INTRODUCTION + MEMORY_TEXT), *page.table(times(found))]
    lines += [*page.prose(ACCURACY), *page.table(accuracy(scores))]
    page.write("tables.md", lines)


if __name__ == "__main__":
    main()

"""Score entries: `python benchmarks/beat_us/run.py ENTRY [ENTRY...] [--task FOLDER] [--out FILE]`.

Runs in any environment with pandas; an entry may bring its own.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent))

from task import Task, entered, scores

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[1] / "var" / "beat_us"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", nargs="+", type=Path, help="Python file or CSV of forecasts")
    parser.add_argument("--task", type=Path, default=TASK, help="folder that lay.py wrote")
    parser.add_argument("--out", type=Path, help="CSV to add the scores to")
    chosen = parser.parse_args()
    task = Task(chosen.task)
    for path in chosen.entries:
        table = scores(entered(path, task), task).assign(entry=path.stem)
        print(table.round(4).to_string(index=False), flush=True)
        if chosen.out is not None:
            add(table, chosen.out)


def add(table: pd.DataFrame, path: Path) -> None:
    """Put an entry's scores into a file, in place of its old ones."""
    if path.is_file():
        old = pd.read_csv(path)
        table = pd.concat([old.loc[~old["entry"].isin(table["entry"])], table])
    table.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()

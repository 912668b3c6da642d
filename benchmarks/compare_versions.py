"""Compares the forecasts of two versions: `python benchmarks/compare_versions.py OLD NEW`.

OLD and NEW are two checkouts, each set up by `make setup`. Each forecasts the magnets from its own
bundled facts as of DAYS, and the golden panel of OLD. Of each forecast the largest relative
difference of any quantile or mean is printed; the exit code is 1 if one is above --tolerance
(nought if left out).
OLD's files are kept in --kept and used again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

HERE: Final = Path(__file__).resolve().parent
DAYS: Final = ("2024-10-25", "2025-04-10", "2025-12-25", "2026-11-25")
"""Before the April controls, days after them, after the suspension, and the newest."""

KEY: Final = ["destination", "period"]


@dataclass(frozen=True, slots=True)
class Version:
    """A checkout and the folder in which its commands keep what they make."""

    checkout: Path
    home: Path

    def call(self, *words: str) -> None:
        """Run a command of this version to its end."""
        kept = {
            "MAGNETCAST_HOME": str(self.home),
            "MAGNETCAST_TRACKING_URI": f"sqlite:///{self.home / 'mlruns' / 'mlflow.db'}",
            "MAGNETCAST_ARTIFACT_DIR": str(self.home / "mlruns" / "artifacts"),
        }
        (self.home / "mlruns").mkdir(parents=True, exist_ok=True)
        command = [str(self.checkout / ".venv" / "bin" / "magnetcast"), *words]
        environment = {**os.environ, **kept}
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")


def forecasts(version: Version, old: Path, out: Path, days: Sequence[str]) -> Iterator[Path]:
    """Make each forecast of a version that is not in a folder yet, and yield its file."""
    magnets = [(out / f"magnets_{day}.csv", day) for day in days]
    if not all(file.exists() for file, _ in magnets):
        version.call("ingest", "bundled")
    for file, day in magnets:
        yield _made(version, file, "--as-of", day)
    panel = str(old / "tests" / "golden" / "panel.csv")
    yield _made(version, out / "panel.csv", "--panel", panel, "--horizon", "6")


def _made(version: Version, file: Path, *words: str) -> Path:
    if not file.exists():
        version.call("predict", *words, "--out", str(file))
    return file


def difference(old: Path, new: Path) -> tuple[float, str]:
    """Return the largest relative difference of two forecast files, and where it is.

    Rows of one alone are an infinite difference.
    """
    before, after = (pd.read_csv(file).set_index(KEY).sort_index() for file in (old, new))
    if not before.index.equals(after.index):
        alone = before.index.symmetric_difference(after.index)
        return float("inf"), f"{len(alone)} rows of one alone, such as {tuple(alone[0])}"
    numbers = [name for name in before.columns if name == "mean" or name[1:].isdigit()]
    size = before[numbers].abs().clip(lower=1e-12)
    apart = ((after[numbers] - before[numbers]).abs() / size).max(axis=1)
    return float(apart.max()), " ".join(apart.idxmax()) if apart.max() else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--days", nargs="*", default=DAYS)
    parser.add_argument("--kept", type=Path, help="folder of OLD's files, to be used again")
    parser.add_argument("--tolerance", type=float, default=0.0)
    asked = parser.parse_args()
    old, new = asked.old.resolve(), asked.new.resolve()
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as name:
        folder = Path(name)
        kept = (asked.kept or folder / "old").resolve()
        made = folder / "new"
        for place in (kept, made):
            place.mkdir(parents=True, exist_ok=True)
        before = forecasts(Version(old, folder / "old-home"), old, kept, asked.days)
        after = forecasts(Version(new, folder / "new-home"), old, made, asked.days)
        worst = 0.0
        for first, second in zip(before, after, strict=True):
            apart, where = difference(first, second)
            worst = max(worst, apart)
            print(f"{first.stem:24}{apart:12.3g}  {where}", flush=True)
    sys.exit(1 if worst > asked.tolerance else 0)


if __name__ == "__main__":
    main()

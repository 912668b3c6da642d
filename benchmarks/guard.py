"""Guard of speed: how many instructions the hot paths take, against those they took before.

Counts, not seconds: valgrind runs the paths on a simulated processor, so a busy machine changes
nothing and another one next to nothing. A path that takes a fifth more than in guard.json fails.
`make guard` compares, and prints what became cheaper; `make guard-baseline` writes guard.json anew
(say in the commit why).
"""

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BASELINE: Final = HERE / "guard.json"

MOST: Final = 1.20
"""Instructions as a share of the baseline from which on a path fails."""

LESS: Final = 0.95
"""Share below which a path is called cheaper."""

STEADY: Final = {
    "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell", "MALLOC_ARENA_MAX": "1",
}  # fmt: skip
"""What makes two counts of one path the same."""

SLOWED: Final = "MAGNETCAST_GUARD_SLOWED"
"""Names a path that does a quarter of its work again: proof that the guard bites."""

QUARTERS: Final = (4, 5)
"""Times by which the count of a slowed path is divided, and times that it is done."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write guard.json anew")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        count_all()
        return
    counts = counted()
    if asked.write:
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
        print(f"guard     wrote {BASELINE.name}: {len(counts)} paths")
        return
    before: dict[str, int] = json.loads(BASELINE.read_text(encoding="utf-8"))
    lines, bad = compared(counts, before)
    print("\n".join(lines))
    sys.exit(1 if bad else 0)


def compared(counts: Mapping[str, int], before: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return one line a path and the names of those that fail: slower by a fifth, new or gone."""
    lines = [f"{'path':24}{'Minstr':>10}{'before':>10}{'change':>9}"]
    bad = []
    for name in sorted({*counts, *before}):
        now, then = counts.get(name), before.get(name)
        if now is None or then is None:
            lines.append(f"{name:24}{'is not in ' + ('the run' if now is None else BASELINE.name)}")
            bad.append(name)
            continue
        ratio = now / then
        result = "  SLOWER" if ratio >= MOST else "  cheaper" if ratio < LESS else ""
        lines.append(f"{name:24}{now / 1e6:10.1f}{then / 1e6:10.1f}{ratio - 1:+9.1%}{result}")
        if ratio >= MOST:
            bad.append(name)
    if bad:
        lines.append(
            f"guard: {', '.join(bad)} failed. Expected less than {MOST - 1:.0%} more instructions "
            "than guard.json tells. Mend what made it slower, or run `make guard-baseline` and say "
            "why."
        )
    return lines, bad


def counted() -> dict[str, int]:
    """Return the instructions of each path.

    Raises:
        SystemExit: valgrind is not there, the machine is another kind, or a path failed.
    """
    tool = shutil.which("valgrind")
    if tool is None or platform.machine() != "x86_64":
        raise SystemExit(
            f"guard: valgrind on x86_64 is needed; this is {platform.machine()}, valgrind "
            f"{'is there' if tool else 'is missing'}. On Debian: apt-get install valgrind."
        )
    with tempfile.TemporaryDirectory(prefix="magnetcast-guard-") as folder:
        out = Path(folder) / "out"
        command = [
            tool, "--tool=callgrind", "--instr-atstart=no", "--quiet",
            f"--callgrind-out-file={out}", sys.executable, __file__, "--inside",
        ]  # fmt: skip
        environment = {**os.environ, **STEADY, "MAGNETCAST_HOME": folder}
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"guard: the paths failed:\n{done.stderr[-3000:]}")
        found = dict(_read(Path(folder)))
    slowed = os.environ.get(SLOWED)
    return {n: c // QUARTERS[0] if n == slowed else c for n, c in found.items()}


def _read(folder: Path) -> Iterator[tuple[str, int]]:
    for file in sorted(folder.glob("out.*")):
        lines = file.read_text(encoding="utf-8").splitlines()
        name = next(line for line in lines if line.startswith("desc: Trigger: Client Request: "))
        total = next(line for line in lines if line.startswith("totals: "))
        yield name.removeprefix("desc: Trigger: Client Request: "), int(total.split()[1])


def count_all() -> None:
    """Do each path once unseen, so that all is loaded, and once counted."""
    sys.path.insert(0, str(ROOT))
    from guard_paths import dump, paths, start, stop  # noqa: PLC0415 - only inside

    slowed = os.environ.get(SLOWED)
    for name, path in paths():
        path()
        gc.collect()
        gc.disable()
        start()
        for _ in range(QUARTERS[1] if name == slowed else 1):
            path()
        stop()
        gc.enable()
        dump(name)


if __name__ == "__main__":
    main()

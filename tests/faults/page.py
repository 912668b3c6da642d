"""Writes the table of docs/faults.md from what ``make faults`` saw.

python -m tests.faults.page FILE
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from store.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- seen -->", "<!-- /seen -->"
COLUMNS = {
    "fault": "fault",
    "happened": "what happened",
    "served": "last good forecast still served",
    "kept": "lost or doubled",
    "alarm": "the alarm",
    "healed": "healed without a hand",
}


KILLED = re.compile(r"(\d+) \w+ killed|killed (\d+) times")


def table(lines: list[str]) -> str:
    """Return the table of what was seen; of a fault brought about twice the last counts."""
    seen = {output["fault"]: output for output in map(json.loads, lines)}
    head = ["| " + " | ".join(COLUMNS.values()) + " |", "|" + " --- |" * len(COLUMNS)]
    rows = [
        "| " + " | ".join(output[name].replace("|", "\\|") for name in COLUMNS) + " |"
        for output in seen.values()
    ]
    return "\n".join([f"{len(rows)} faults, {kills(seen)} kills among them.\n", *head, *rows])


def kills(faults: Iterable[str]) -> int:
    """Return how many processes were killed in all, as the faults say."""
    found = [match for fault in faults for match in KILLED.findall(fault)]
    return sum(int(number) for pair in found for number in pair if number)


def main() -> None:
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(lines)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

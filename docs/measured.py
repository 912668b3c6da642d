"""Rewrite what the documentation shows of forecasts.

The README's pictures (of what is published in the home, through Chromium; run the main job first)
and the attribution of April 2025 from the bundled facts (a minute or two).
"""

import pandas as pd

from docs.attribution import attribution_page
from docs.screens import draw
from features.evidence_history import EvidenceHistory
from flows.analysis.attribution import attribution_png
from flows.context.console import echo, track
from models.event_study import Attribution, act_of, attribute
from models.learning.parameters import MAGNETS_PRESET
from sources.bundled.all_tables import load_bundled
from store.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
APRIL_2025 = "2025-04-cn-no18-seven-ree"
AS_OF = pd.Timestamp("2026-11-25", tz="UTC")
PICTURE = "pictures/attribution_april_2025.png"


def april_2025() -> Attribution:
    """Return what the act of April 2025 did, from the bundled facts."""
    names = ("observations", "policy_events", "tariff_steps", "analog_events")
    batch = load_bundled(PROJECT_ROOT / "data")
    observations, events, tariffs, analogs = (batch.frame(name) for name in names)
    history = EvidenceHistory(observations, events, tariffs, analogs)
    act = act_of(events, APRIL_2025, as_of=AS_OF)
    return attribute(history, act, as_of=AS_OF, parameters=MAGNETS_PRESET, track=track)


def write_april_2025(found: Attribution) -> None:
    """Write docs/attribution-april-2025.md and its picture."""
    page = attribution_page(found, picture=PICTURE, made_by="make pictures")
    (DOCS / "attribution-april-2025.md").write_text(page, encoding="utf-8")
    (DOCS / PICTURE).write_bytes(attribution_png(found))


def main() -> None:
    """Write the pictures and the attribution of April 2025."""
    echo(f"docs      {draw(DOCS / 'pictures')}")
    write_april_2025(april_2025())


if __name__ == "__main__":
    main()

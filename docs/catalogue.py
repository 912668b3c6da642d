"""Rewrite docs/features.md from the catalogue of features, in seconds."""

from features.build import FEATURE_FAMILIES
from store.settings import PROJECT_ROOT


def catalogue_page() -> str:
    """Return docs/features.md: the catalogue, one table a family."""
    parts = [
        "# Features",
        "",
        (
            "Generated from the catalogue by `make docs`; do not edit. "
            "One row of the model frame is one destination at one"
        ),
        (
            "forecast origin and one target month. "
            "A dash means the forecast may move either way with the feature, `falls`"
        ),
        "that a higher value never raises it. `magnetcast explain` counts it to what it is",
        "shown as. Panels have all but tariffs, policy and what rests on a total of the world;",
        "magnets have all but dynamics.",
    ]
    head = "| feature | unit | meaning | source | knowable | shown as | effect |"
    for family, entries in FEATURE_FAMILIES.items():
        parts += ["", f"## {family}", "", head, "| --- | --- | --- | --- | --- | --- | --- |"]
        parts += [
            f"| `{e.name}` | {e.unit} | {e.meaning} | {e.source} | {e.knowable} | {e.explains} | "
            f"{'falls' if e.monotone < 0 else '-'} |"
            for e in entries
        ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    path = PROJECT_ROOT / "docs" / "features.md"
    path.write_text(catalogue_page(), encoding="utf-8")

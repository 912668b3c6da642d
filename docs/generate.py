"""Rewrite the generated parts of the documentation: the feature catalogue and the README's picture.

The picture is the newest report's; run the main job first.
"""

import shutil
from pathlib import Path

from features.build import catalogue_page
from store.settings import PROJECT_ROOT, Settings

DOCS = PROJECT_ROOT / "docs"


def newest_fan(destination: str) -> Path | None:
    """Return the fan chart of the newest report, or None without one."""
    found = sorted(Settings().reports_dir.glob(f"*/fan_{destination}.png"))
    return found[-1] if found else None


def main() -> None:
    """Write docs/features.md and docs/pictures/fan_USA.png."""
    (DOCS / "features.md").write_text(catalogue_page(), encoding="utf-8")
    picture = newest_fan("USA")
    if picture is not None:
        shutil.copyfile(picture, DOCS / "pictures" / "fan_USA.png")


if __name__ == "__main__":
    main()

"""Rewrite docs/features.md from the catalogue of features, in seconds."""

from features.build import catalogue_page
from store.settings import PROJECT_ROOT

if __name__ == "__main__":
    page = PROJECT_ROOT / "docs" / "features.md"
    page.write_text(catalogue_page(), encoding="utf-8")

"""What the tests of a publication's folder and of the site share."""

from tests.publication.fixtures import (
    browser,
    engine,
    goods,
    home,
    publication,
    published_store,
    site,
    two_goods,
)

__all__ = [
    "browser",
    "engine",
    "goods",
    "home",
    "publication",
    "published_store",
    "site",
    "two_goods",
]

"""Errors that a reader can act on."""

from typing import Final

from publication.language.phrases import marked
from store.errors import DataError


class UnknownError(DataError):
    """What is asked for does not exist."""


class NothingPublishedError(DataError):
    """There is no forecast yet."""

    title: Final = marked("No forecast yet")

"""Errors of requests that the service can explain."""

from typing import Final

from service.language.phrases import marked
from store.errors import DataError
from store.messages import Message


class UnknownError(DataError):
    """The request names something that does not exist."""


class NothingPublishedError(DataError):
    """There is no forecast yet."""

    title: Final = marked("No forecast yet")


class ScenarioRefusedError(DataError):
    """The scenario contradicts itself, the calendar or what is known."""


class NoAnswerError(DataError):
    """The scenario cannot be computed now; the rest of the service works."""

    def __init__(self, message: str | Message, *, retry_s: int | None = None) -> None:
        super().__init__(message)
        self.headers = {} if retry_s is None else {"Retry-After": str(retry_s)}

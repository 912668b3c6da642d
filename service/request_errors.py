"""Errors of questions that the service can explain."""

from store.errors import DataError
from store.messages import Message


class ScenarioRefusedError(DataError):
    """The scenario contradicts itself, the calendar or what is known."""


class NoAnswerError(DataError):
    """The scenario cannot be computed now; the rest of the service works."""

    def __init__(self, message: str | Message, *, retry_s: int | None = None) -> None:
        super().__init__(message)
        self.headers = {} if retry_s is None else {"Retry-After": str(retry_s)}

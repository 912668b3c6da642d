"""The page of an error: what is wrong, and what to do."""

from http import HTTPStatus

from service.language.phrases import gettext
from service.web.render import bare_page


def error_page(status: int, title: str, detail: str, kept: str) -> str:
    """Return the page of an error; ``kept`` are the fields that a switch of the language keeps."""
    return bare_page(
        "error.html.j2",
        status=status,
        title=gettext(title),
        detail=detail,
        is_waiting=status == HTTPStatus.SERVICE_UNAVAILABLE,
        kept=kept,
    )

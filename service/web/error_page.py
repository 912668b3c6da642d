"""The page of an error: what is wrong, and what to do."""

from http import HTTPStatus
from typing import Final

from service.language.known import KnownSentences
from service.language.phrases import gettext, marked, translated
from service.planning.sentences import planning_words
from service.web.render import bare_page

_UNPUBLISHED: Final = KnownSentences(
    (
        marked(
            "No forecast of %(goods)s in the published forecasts. Expected one. Run `magnetcast "
            "run`."
        ),
    ),
    {},
    other=(r".+?", translated),
)


def error_page(status: int, title: str, detail: str, kept: str) -> str:
    """Return the page of an error; ``kept`` are the fields that a switch of the language keeps."""
    return bare_page(
        "error.html.j2",
        status=status,
        title=gettext(title),
        detail=planning_words(_UNPUBLISHED.shown(detail)),
        is_waiting=status == HTTPStatus.SERVICE_UNAVAILABLE,
        kept=kept,
    )

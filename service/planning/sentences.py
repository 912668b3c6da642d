"""English sentences of the store and of webhooks about planning, in the language in use."""

from datetime import date
from typing import Final

from service.language.formats import dated, separated
from service.language.known import KnownSentences, as_clause
from service.language.phrases import gettext, marked
from service.wording import name_of

_REFUSALS: Final = (
    marked("Not a web address."),
    marked("Not up to %(most)s printable ASCII characters."),
    marked("Not an http(s) address."),
    marked("An address with a user, a password or a fragment."),
    marked("An address without TLS."),
    marked("%(address)s is not a public address."),
    marked("The name cannot be resolved (%(error)s)."),
    marked("The name has no address."),
)

_SENTENCES: Final = (
    marked("HTTP %(status)s from %(host)s."),
    marked("No answer within %(seconds)s s."),
    marked(
        "The address of a webhook is refused: %(why)s. Expected https:// and a host with public "
        "addresses only, or one within MAGNETCAST_ALERT_NETWORKS. Correct url."
    ),
    marked(
        "Webhooks are off: MAGNETCAST_ALERT_KEY has %(count)s characters. Expected %(least)s or "
        "more to sign with. Set it for the service and for `magnetcast alerts`, or leave url empty "
        "and read /alerts.atom."
    ),
    marked(
        "%(text)s as the name of a %(what)s. Expected 1 to %(most)s printable characters on one "
        "line. Correct it."
    ),
    marked(
        "A need of %(amount)s t a month. Expected more than 0 and at most %(most)s. Correct tonnes."
    ),
    marked(
        "A need from %(first)s to %(last)s, %(months)s months. Expected 1 to %(most)s. Correct "
        "period_from or period_to."
    ),
    marked(
        "A rule on a change of %(points)s points. Expected more than 0 and at most %(most)s. "
        "Correct points."
    ),
    marked("An override of %(amount)s t. Expected 0 to %(most)s. Correct tonnes."),
    marked(
        "An override of %(destination)s in %(month)s, whose figure is already published. Expected "
        "a month that is not yet known. Choose a later one."
    ),
    marked(
        "%(writer)s has %(most)s active %(what)s. Expected at most as many. End one that is not "
        "needed any more."
    ),
    marked(
        "%(writer)s saved %(most)s overrides within a day. Expected at most as many. Wait, or "
        "correct the program that writes them."
    ),
    marked("No %(what)s %(number)s in force. Expected one of: %(known)s. See %(address)s."),
)

_THINGS: Final = {
    "need": marked("need"),
    "needs": marked("needs"),
    "rule": marked("rule"),
    "reason": marked("reason"),
    "alert rules": marked("alert rules"),
    "alert-rule": marked("alert rule"),
}


def planning_words(text: str) -> str:
    """Return a message in the language in use; one of an unknown form stays English."""
    return _KNOWN.shown(text)


def _month(word: str) -> str:
    return dated(date.fromisoformat(f"{word}-01"), "month")


def _known(word: str) -> str:
    return gettext("there is none") if word == marked("there is none") else word


_WHY: Final = KnownSentences(_REFUSALS, {"most": (r"\d+", str)}, other=(r".+?", str))

_KNOWN: Final = KnownSentences(
    _SENTENCES,
    {
        "why": (r".+?", lambda word: as_clause(_WHY.shown(word))),
        "what": ("|".join(_THINGS), lambda word: gettext(_THINGS[word])),
        "destination": (r"\w+", name_of),
        "known": (r".+?", _known),
        **dict.fromkeys(("first", "last", "month"), (r"\d{4}-\d\d", _month)),
        **dict.fromkeys(("text", "writer", "host", "address"), (r".+?", str)),
    },
    other=(r"-?[\d.,einf+]+", separated),
)

"""The page that shows how the installation is: alarms, models in use, recent runs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final

import pandas as pd

from service.http.responses import HTML, Answer, Record, answer_of
from service.language.choice import DEFAULT, language
from service.language.formats import dated, percentage, separated
from service.language.phrases import Sentence, gettext, is_shown, marked, ngettext
from service.live.health import HealthReport
from service.live.publication import Publication
from service.web.render import bare_page, page
from service.wording import model_words, name_of, state_words

END: Final = r"(?:[.,;] |\.?$)"
"""What follows a sentence: those parts join some by a comma or a semicolon."""

Placeholder = tuple[str, Callable[[str], str]]
"""What it looks like (a pattern), and what writes it in the language in use."""


def as_clause(sentence: str) -> str:
    """Return a sentence as a part of another: without the stop at its end."""
    return sentence.rstrip(".。")


@dataclass(frozen=True)
class KnownSentences:
    """Sentences, marked for the catalogues, that a text of another part may be made of."""

    sentences: tuple[str, ...]
    placeholders: Mapping[str, Placeholder]
    other: Placeholder
    """Of a placeholder that is not named."""

    def shown(self, text: str) -> str:
        """Return a text in the language in use; one of an unknown form stays English."""
        if language() == DEFAULT:
            return text
        found, rest = list[str](), text
        while rest:
            begun = [(one, hit) for one, form in self._forms if (hit := form.match(rest))]
            if not begun:
                return text
            sentence, hit = begun[0]
            words = {name: self._of(name)[1](word) for name, word in hit.groupdict().items()}
            found.append(gettext(sentence, **words))
            rest = rest[hit.end() :]
        return Sentence(" ".join(found))

    @cached_property
    def _forms(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(sentence, self._form(sentence)) for sentence in self.sentences]

    def _form(self, sentence: str) -> re.Pattern[str]:
        parts = re.split(r"%\((\w+)\)s", sentence.rstrip(".").replace("%%", "%"))
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = [f"(?P<{name}>{self._of(name)[0]})" for name in parts[1::2]]
        return re.compile("".join(parts) + END, re.IGNORECASE)

    def _of(self, name: str) -> Placeholder:
        return self.placeholders.get(name, self.other)


_LINES: Final = (
    marked("Figures of %(month)s were due on %(day)s; the newest known are of %(newest)s."),
    marked("The next, of %(month)s, are due on %(day)s."),
    marked("The newest forecast is as of %(day)s %(time)s UTC."),
    marked("The last run began %(day)s %(time)s UTC: %(state)s."),
    marked("%(goods)s: forecast as of %(day)s, %(month)s to %(newest)s, %(model_status)s."),
    marked("%(goods)s: no forecast."),
    marked("Its last run: %(state)s."),
    marked("Champion: none."),
    marked("Champion: version %(number)s, %(model)s."),
    marked("The champion cannot forecast; the next run falls back to other models."),
    marked("Quarantine: %(files)s files wait. Free disk: %(size)s GB."),
    marked("Last backup: never."),
    marked("Last backup: %(day)s %(time)s UTC."),
)

_ALARMS: Final = (
    marked(
        "This machine's clock is at %(day)s %(time)s, and the last write was on %(last_day)s "
        "%(last_time)s: the clock was moved, and writes are refused."
    ),
    marked(
        "Publication %(number)s as of %(day)s (%(goods)s) is not what was frozen: %(rows)s rows, "
        "of %(frozen)s."
    ),
    marked(
        "The panel behind publication %(number)s as of %(day)s (%(goods)s) is not what was stored "
        "(SHA-256 %(model)s)."
    ),
    marked("%(rows)s rows of the forecasts were brought by no publication."),
    marked("Publication %(number)s as of %(day)s (%(goods)s) is held: %(reason)s."),
    marked("No forecast was ever published."),
    marked("The figures of %(month)s were due on %(day)s and are %(late)s days late."),
    marked("The forecast of %(day)s is older than the release of %(last_day)s, %(late)s days ago."),
    marked("The last run of %(name)s failed."),
    marked("The last run, of %(day)s %(time)s UTC, failed."),
    marked("%(name)s, begun %(day)s %(time)s UTC, failed: %(error)s."),
    marked("%(name)s, begun %(day)s %(time)s UTC, was cut off before it ended."),
    marked("The run of %(day)s %(time)s UTC has not ended for %(hours)s hours."),
    marked("No model is champion."),
    marked("It cannot answer: %(error)s."),
    marked("The forecast of %(day)s was not measured for drift."),
    marked("%(files)s refused files wait for review."),
    marked("%(size)s GB are free on the disk of %(name)s."),
    marked("There is no backup."),
    marked("The last backup is %(late)s days old."),
)

_READINGS: Final = (
    marked("%(count)s scored months; %(needed)s are needed to judge."),
    marked(
        "Errors of the last %(recent)s scored months are %(ratio)s times those of the %(count)s "
        "before; chance allows %(bound)s."
    ),
    marked(
        "The 80%% band covered %(share)s of the %(cells)s cells of the last %(recent)s scored "
        "months, worth %(count)s independent ones; chance allows %(low)s to %(high)s."
    ),
)

_MAIN_JOB: Final = marked("the main job")


def line_words(line: str) -> str:
    """Return a line in the language in use; one of an unknown form stays English."""
    measured = re.fullmatch(r"Measured, ([\w-]+): (.+)", line)
    if measured is None:
        return _KNOWN.shown(line)
    words = _KNOWN.shown(measured[2])
    if not is_shown(words):
        return line
    return gettext("Measured, %(monitor)s: %(words)s", monitor=measured[1], words=words)


def alarm_words(message: str) -> str:
    """Return what is wrong in the language in use; an error of another program stays English."""
    return _KNOWN.shown(message)


def _day(word: str) -> str:
    return dated(date.fromisoformat(word), "day")


def _month(word: str) -> str:
    if word == "none":
        return gettext("none")
    return dated(date.fromisoformat(f"{word}-01"), "month")


def _share(word: str) -> str:
    return percentage(word.removesuffix("%"))


def _times(word: str) -> str:
    count = 1 if word == "once" else int(word.removesuffix(" times"))
    return ngettext("once", "%(n)s times", count)


_KNOWN: Final = KnownSentences(
    (*_LINES, *_ALARMS, *_READINGS),
    {
        "month": (r"\d{4}-\d\d", _month),
        "newest": (r"\d{4}-\d\d|none", _month),
        **dict.fromkeys(("day", "last_day"), (r"\d{4}-\d\d-\d\d", _day)),
        **dict.fromkeys(("time", "last_time"), (r"\d\d:\d\d", str)),
        **dict.fromkeys(("model", "goods"), (r"[^\s()]+?", str)),
        "name": (r"[\w .,;-]+?", lambda word: gettext(word) if word == _MAIN_JOB else word),
        "state": (r"finished|failed|running", state_words),
        "model_status": (r"[\w ]+?", model_words),
        "times": (r"once|\d+ times", _times),
        "reason": (r".+", as_clause),
        "error": (r".+", as_clause),
        **dict.fromkeys(("share", "low", "high"), (r"\d[\d.]*%", _share)),
    },
    other=(r"[\d.]*\d", separated),
)


_ADDRESS: Final = "/status"
TEMPLATE: Final = "status.html.j2"

RUNS: Final = 10


def status_page(found: HealthReport, publication: Publication | None, now: pd.Timestamp) -> Answer:
    """Return the page; without a publication it shows the installation only.

    Args:
        publication: The newest publication, None if there is none.
    """
    if publication is None:
        shown = bare_page(TEMPLATE, here=_ADDRESS, **_of_installation(found), models=(), runs=())
        return answer_of(shown.encode(), HTML)
    return page(
        TEMPLATE,
        publication,
        now=now,
        here=_ADDRESS,
        **_of_installation(found),
        models=models_in_use(publication),
        runs=recent_runs(publication),
    )


def _of_installation(found: HealthReport) -> dict[str, object]:
    return {
        "found": found,
        "lines": [line_words(line) for line in found.lines],
        "alarms": [replace(one, words=alarm_words(one.words)) for one in found.alarms],
    }


def models_in_use(publication: Publication) -> list[Record]:
    """Return the model of each destination in the newest forecast, and why not the champion."""
    rows = publication.latest.fillna({"reason": ""})
    parts = rows.drop_duplicates(["destination", "status", "reason"])
    place = {code: number for number, code in enumerate(publication.destinations)}
    parts = parts.sort_values("destination", key=lambda own: own.map(place), kind="stable")
    return [
        {
            "destination": row["destination"],
            "name": name_of(row["destination"]),
            "status": row["status"],
            "model": row["model"],
            "reason": row["reason"],
        }
        for row in parts.to_dict("records")
    ]


def recent_runs(publication: Publication) -> list[Record]:
    """Return the last runs of any flow, newest first; minutes are None where one has not ended."""
    runs = publication.published.runs.sort_values("started_at", ascending=False).head(RUNS)
    return [
        {
            "started": f"{row['started_at']:%Y-%m-%d %H:%M}",
            "flow": row["flow"],
            "commodity": row["commodity"],
            "status": row["status"],
            "minutes": None
            if pd.isna(row["finished_at"])
            else (row["finished_at"] - row["started_at"]).total_seconds() / 60,
        }
        for row in runs.to_dict("records")
    ]

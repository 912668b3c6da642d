"""What must hold after each fault, held against the real thing, and noted for docs/faults.md."""

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.faults.home import Home, Said, Service, alarms, assert_nothing_doubled, kept

SEEN = "MAGNETCAST_FAULTS_SEEN"
"""Names the variable with the file that what was seen is added to."""

CHANGING = ("runs", "quarantine", "alembic_version", "alert_state", "deliveries")
"""Tables whose rows change as work goes on; all others only grow."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of the page."""

    fault: str
    happened: str = ""
    served: str = ""
    kept: str = ""
    alarm: str = ""
    healed: str = ""


class Watch:
    """Looks at a home and its service before, during and after a fault."""

    def __init__(self, home: Home, service: Service, fault: str) -> None:
        self.home, self.service = home, service
        self.shown = service.forecast()
        self.before = kept(home)
        self.status = home.status()
        self.seen = Seen(fault)
        self.again = False

    def happened(self, said: Said, words: str, *, code: int = 1) -> None:
        """Hold what the process that met the fault said and how it ended."""
        assert said.code == code, (said.code, said.err[-3000:])
        assert re.search(words, " ".join(said.err.split())), said.err[-3000:]
        assert "Traceback" not in said.err, said.err[-3000:]
        self.seen = replace(self.seen, happened=_short(said.error or line_with(words, said.err)))

    def saw(self, happened: str) -> None:
        """Note what happened where no process could say so."""
        self.seen = replace(self.seen, happened=happened)

    def still_served(self) -> None:
        """Ask the service while things are broken: the last good forecast stands."""
        assert self.service.forecast() == self.shown
        self.seen = replace(self.seen, served="yes")

    def alarm(self, name: str, words: str, *, code: int = 1) -> None:
        """Hold the message of ``magnetcast status`` while things are broken, and its exit code."""
        answer = self.home.status()
        found = [one for one in alarms(answer) if one.startswith(f"{name}: ")]
        result = [one for one in found if re.search(words, one)]
        assert result, answer.out + answer.err
        assert answer.code == code, answer.out
        self.seen = replace(self.seen, alarm=f"`{_short(result[0])}` (exit {code})")

    def alarm_is_message(self) -> None:
        """Note that a person's own command said it and that there is nothing left to alarm of."""
        self.unalarmed()
        self.seen = replace(self.seen, alarm="its message, exit 1; `status` stays as it was")

    def seen_served(self) -> None:
        """Note that the test itself held what was served against what was published."""
        self.seen = replace(self.seen, served="yes")

    def noted(self, alarm: str) -> None:
        """Note alarms that the test itself has held."""
        self.seen = replace(self.seen, alarm=alarm)

    def no_alarm(self, why: str) -> None:
        """Note that nothing went wrong that an alarm could tell of."""
        self.unalarmed()
        self.seen = replace(self.seen, alarm=f"none: {why}")

    def unalarmed(self, *, waits: str = "") -> None:
        """Hold that the status is what it was before."""
        now = self.home.status()
        found = [one for one in alarms(now) if not waits or not one.startswith(f"{waits}: ")]
        assert found == alarms(self.status), now.out
        assert waits or now.code == self.status.code, now.out

    def healed(self, said: Said, *, by: str, new: str = "", waits: str = "") -> None:
        """Hold what the next run, to which nobody lent a hand, left.

        Args:
            said: How it ended.
            by: What it was.
            new: Day of the forecast that it published; empty if the one before stands.
            waits: Alarm of what a person has to decide and that hinders nothing.
        """
        assert said.code == 0, said.err[-3000:]
        self.is_kept()
        if new:
            self.service.shows(new)
        else:
            assert self.service.forecast() == self.shown
        self.unalarmed(waits=waits)
        self.seen = replace(self.seen, healed=f"yes: {by}")

    def is_kept(self) -> None:
        """Hold that every row is still there as it was, and none is doubled.

        Where a lower rung had answered, the champion's own publication follows with the same facts.
        """
        now = kept(self.home)
        for name, rows in self.before.items():
            if name not in CHANGING:
                assert rows <= now[name], f"{len(rows - now[name])} rows of {name} are lost"
        assert_nothing_doubled(self.home, again=self.again)
        self.seen = replace(self.seen, kept="nothing")

    def must_be_whole(self) -> None:
        """Hold that each question was asked."""
        empty = [name for name, value in asdict(self.seen).items() if not value]
        assert not empty, f"not looked at: {empty}"


def line_with(words: str, text: str) -> str:
    """Return the first line with this; all of it where the words span lines."""
    lines = " ".join(text.split())
    return next((line for line in text.splitlines() if re.search(words, line)), lines)


def _short(text: str) -> str:
    """Return the first sentences of a message, without the place on this machine."""
    result = " ".join(text.split()).removeprefix("error: ")
    plain = re.sub(r"(sqlite:///|(?<![:/]))/\S*/", "", result)
    return plain if len(plain) <= 240 else f"{plain[:240]}..."


def note(name: str, seen: Seen) -> None:
    """Add a line to what was seen, for the page."""
    if path := os.environ.get(SEEN):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"test": name, **asdict(seen)}) + "\n")

"""What must hold after each fault, held against the real thing."""

import re

from tests.faults.home import Home, Said, Service, alarms, assert_nothing_doubled, kept

CHANGING = ("runs", "quarantine", "alert_state", "deliveries", "champions")
"""Tables whose rows change as work goes on, or are written anew; all others only grow."""


class Watch:
    """Looks at a home and its service before, during and after a fault."""

    def __init__(self, home: Home, service: Service) -> None:
        self.home, self.service = home, service
        self.shown = service.forecast()
        self.before = kept(home)
        self.status = home.status()

    def happened(self, said: Said, words: str, *, code: int = 1) -> None:
        """Hold what the process that met the fault said and how it ended."""
        assert said.code == code, (said.code, said.err[-3000:])
        assert re.search(words, " ".join(said.err.split())), said.err[-3000:]
        assert "Traceback" not in said.err, said.err[-3000:]

    def still_served(self) -> None:
        """Ask the service while things are broken: the last good forecast stands."""
        assert self.service.forecast() == self.shown

    def alarm(self, name: str, words: str, *, code: int = 1) -> None:
        """Hold the message of ``magnetcast status`` while things are broken, and its exit code."""
        answer = self.home.status()
        found = [one for one in alarms(answer) if one.startswith(f"{name}: ")]
        assert any(re.search(words, one) for one in found), answer.out + answer.err
        assert answer.code == code, answer.out

    def unalarmed(self) -> None:
        """Hold that the status is what it was before."""
        now = self.home.status()
        assert (alarms(now), now.code) == (alarms(self.status), self.status.code), now.out

    def healed(self, said: Said, *, new: str = "", again: bool = False) -> None:
        """Hold what the next run, to which nobody lent a hand, left.

        Args:
            said: How it ended.
            new: Day of the forecast that it published; empty if the one before stands.
            again: Whether the champion published after a fallback with the same facts.
        """
        assert said.code == 0, said.err[-3000:]
        self.is_kept(again=again)
        if new:
            self.service.shows(new)
        else:
            self.still_served()
        self.unalarmed()

    def is_kept(self, *, again: bool = False) -> None:
        """Hold that every row is still there as it was, and none is doubled."""
        now = kept(self.home)
        for name, rows in self.before.items():
            if name not in CHANGING:
                assert rows <= now[name], f"{len(rows - now[name])} rows of {name} are lost"
        assert_nothing_doubled(self.home, again=again)

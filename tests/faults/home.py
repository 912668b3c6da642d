"""A home on which the main job ran, its processes, and what it keeps."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pandas as pd
from sqlalchemy import create_engine, text

from store.schema.database_tables import metadata as kept_tables
from store.schema.database_tables import natural_key
from store.settings import PROJECT_ROOT, Settings
from tests.flows.conftest import environment, settings_of

ALL = os.environ.get("MAGNETCAST_FAULTS") == "all"
"""Whether each fault is brought about; else some."""

PATIENCE_S = 600
"""Far more than anything here takes; what hangs is a failure."""
PAUSE_S = 0.02
GONE = -signal.SIGKILL

Rows = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Said:
    """How a process ended and its messages."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Return its message from where something is wrong; empty if it does not."""
        found = self.err.find("error: ")
        return " ".join(self.err[found:].split()) if found >= 0 else ""


@dataclass(slots=True)
class Process:
    """One process of a home, and the files it writes to."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    @property
    def err(self) -> str:
        return self.log.with_suffix(".err").read_text(errors="replace")

    def kill(self) -> None:
        """Kill it and all it started, at once (SIGKILL); one that just ended is not there."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def is_killed_within(self, seconds: float) -> bool:
        """Kill it after some time; tells whether that met it alive."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.returncode == GONE

    def wait_for(self, words: str) -> None:
        """Wait until it writes something, or ends."""
        end = time.monotonic() + PATIENCE_S
        while words not in self.err and self.is_alive and time.monotonic() < end:
            time.sleep(PAUSE_S)

    def ended(self) -> Said:
        """Wait for its end."""
        code = self.process.wait(PATIENCE_S)
        return Said(code, self.log.with_suffix(".out").read_text(errors="replace"), self.err)


@dataclass(slots=True)
class Home:
    """A folder with all that an installation keeps."""

    folder: Path
    day: str
    """The day its processes believe it is, noon when this was made; goes on by itself."""
    more: dict[str, str] = field(default_factory=dict)
    _made: int = 0
    _ahead_s: float = 0.0

    def __post_init__(self) -> None:
        self.set_clock(self.day)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def database(self) -> Path:
        return self.var / "magnetcast.db"

    @property
    def variables(self) -> dict[str, str]:
        return {**environment(self.folder, self.data), **self.more}

    @property
    def settings(self) -> Settings:
        return settings_of(self.variables)

    def set_clock(self, day: str) -> None:
        """Let the processes made from now on believe it is noon of a day."""
        self.day = day
        noon = pd.Timestamp(day, tz="UTC") + pd.Timedelta(hours=12)
        self._ahead_s = noon.timestamp() - time.time()
        record = self.var / "last-backup.json"
        if record.exists():
            # The weekly job went on meanwhile.
            output = json.loads(record.read_text())
            record.write_text(json.dumps({**output, "created_at": noon.isoformat()}))

    def start(self, *words: str, **more: str) -> Process:
        """Start a command; ``more`` are variables on top of ours."""
        self._made += 1
        log = self.folder / "logs" / str(self._made)
        log.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.faults.process", str(self._ahead_s), *words]
        with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(  # noqa: S603 - our own words
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=PROJECT_ROOT,
                env={**os.environ, **self.variables, **more},
                start_new_session=True,
            )
        return Process(process, log)

    def call(self, *words: str, **more: str) -> Said:
        """Run a command to its end."""
        return self.start(*words, **more).ended()

    def status(self) -> Said:
        """Return ``magnetcast status``: its words and its exit code."""
        output = self.call("status")
        assert output.out, f"status said nothing: {output.err[-2000:]}"
        return output


def alarms(said: Said) -> list[str]:
    """Return the alarms of a status, each as ``name: words``."""
    lines = [line.partition(" ") for line in said.out.splitlines()]
    return [rest for word, _, rest in lines if word in {"WARNING", "BROKEN"}]


def kept(home: Home) -> Rows:
    """Return a digest of every row of each table of a store that must be sound, by table."""
    found = {}
    engine = create_engine(home.settings.url)
    with engine.connect() as connection:
        if engine.name == "sqlite":
            answer = connection.scalar(text("PRAGMA integrity_check"))
            assert answer == "ok", answer
        for name in sorted(kept_tables.tables):
            rows = connection.execute(text(f"SELECT * FROM {name}")).all()  # noqa: S608 - our names
            result = [hashlib.sha256(repr(tuple(row)).encode()).hexdigest() for row in rows]
            found[name] = frozenset(result)
            assert len(found[name]) == len(rows), f"rows of {name} are doubled"
    engine.dispose()
    return found


def assert_nothing_doubled(home: Home, *, again: bool = False) -> None:
    """Hold the store: one row a natural key, the same months from the same facts published once.

    Args:
        home: Whose store.
        again: A fallback answered, and the champion after it.
    """
    engine = create_engine(home.settings.url)
    with engine.connect() as connection:
        for name in ("forecasts", "observations", "vintages"):
            key = ", ".join(natural_key(kept_tables.tables[name]))
            twice = connection.execute(
                text(f"SELECT {key}, COUNT(*) FROM {name} GROUP BY {key} HAVING COUNT(*) > 1")  # noqa: S608
            ).all()
            assert not twice, f"{name} holds a key twice: {twice[:3]}"
        made = connection.execute(
            text(
                "SELECT commodity, data_vintage, last, COUNT(*) FROM (SELECT commodity, "
                "data_vintage, as_of, MAX(period) AS last FROM forecasts "
                "GROUP BY commodity, data_vintage, as_of) AS made "
                "GROUP BY commodity, data_vintage, last HAVING COUNT(*) > 1"
            )
        ).all()
        assert again or not made, f"the same facts were published more than once: {made}"
    engine.dispose()


class Service:
    """The real service over a home, asked over HTTP."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.process = self.started()

    def started(self) -> Process:
        return self.home.start("serve", "--port", "0")

    @property
    def address(self) -> str:
        self.process.wait_for("stop with Ctrl-C")
        found = [word for word in self.process.err.split() if word.startswith("http://")]
        assert found, f"the service did not come up: {self.process.err[-2000:]}"
        return found[0].rstrip("/")

    def forecast(self) -> str:
        """Return the published forecast of the world as the service tells it; the page must open.

        A service that has just begun is waited for.
        """
        end = time.monotonic() + PATIENCE_S
        with httpx.Client(base_url=self.address, timeout=PATIENCE_S, trust_env=False) as client:
            while True:
                answer = client.get("/api/v1/destinations/WLD.json")
                if answer.status_code == httpx.codes.OK or time.monotonic() > end:
                    break
                time.sleep(0.1)
            assert answer.status_code == httpx.codes.OK, answer.text
            page = client.get("/")
        assert page.status_code == httpx.codes.OK, page.text
        return answer.text

    def shows(self, as_of: str) -> None:
        """Wait until the forecast of a day is shown."""
        end = time.monotonic() + PATIENCE_S
        while as_of not in (predicted := self.forecast()):
            assert time.monotonic() < end, f"{as_of} is not shown: {predicted[:300]}"
            time.sleep(0.1)

    def end(self) -> None:
        self.process.kill()


@contextmanager
def serving(home: Home) -> Iterator[Service]:
    """Serve a home while the block lasts."""
    service = Service(home)
    try:
        yield service
    finally:
        service.end()

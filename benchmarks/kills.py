"""Kill `magnetcast ingest comtrade` at random moments and look at what is left.

    python benchmarks/kills.py [kills]

A store holds an earlier state of ten years x 150 partners. Each time a process of the command line
fetches revised and new months from a loopback provider and is killed (SIGKILL) at a random moment:
one in five anywhere in its life, the others after its first call to the provider, where rows are
fetched, guarded and written. Then the store must hold exactly the old vintage, or exactly the old
and the whole new one; and the next ingest must complete it.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from flows.cli.app import DEFAULTS  # sets what Prefect reads on import: first
from flows.context.stores import single_writer, store_of
from flows.ingest.ingest import ingest
from flows.ingest.sources import live
from sources.base import MonthRange
from store.settings import PROJECT_ROOT, Settings
from tests.providers.comtrade import ComtradeWorld
from tests.providers.server import Providers
from tests.providers.world import providers_of

SINCE = "2017-01"
OLD_UNTIL = "2025-12"
KEY = "not-a-real-key"
PAUSE_S = 0.005
COMMAND = [
    *(sys.executable, "-c", "from flows.cli.app import main; main()"),
    *("ingest", "comtrade", "--since", SINCE),
]


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what it left."""

    moment: str
    """Where in its life the process was: ``start``, ``fetch`` or ``write``."""
    left: str
    """``old`` (the old vintage alone), ``new`` (both whole)."""


class Scene:
    """A store with an old vintage, and a provider that has news."""

    def __init__(self, folder: Path, providers: Providers, *, partners: int = 150) -> None:
        self.folder, self.providers, self.partners = folder, providers, partners
        self.home = folder / "var"
        self.settings = Settings(home=self.home, comtrade_key=KEY, **providers.urls())
        self.world(revised=False)
        ingest(self.settings, live(self.settings, "comtrade", MonthRange.of(SINCE, OLD_UNTIL)))
        self.world(revised=True)
        self.old = self.rows()
        store_of(self.settings).dispose()
        self.kept = folder / "kept.db"
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self.database, self.kept)
        self.complete()
        self.new = self.rows()

    @property
    def database(self) -> Path:
        return self.home / "magnetcast.db"

    def world(self, *, revised: bool) -> None:
        """Let the provider tell its old or its new state."""
        world = ComtradeWorld(first=SINCE, partners=self.partners)
        if revised:
            months = world.months[::7]
            world.revised = {(month, code): 1.04 for month in months for code in world.codes[:40]}
        self.providers.world.comtrade = world
        self.providers.providers.update(providers_of(self.providers.world))

    def reset(self) -> None:
        """Put the store back to its old vintage."""
        store_of(self.settings).dispose()
        for path in self.home.glob("magnetcast.db*"):
            path.unlink()
        shutil.copy(self.kept, self.database)

    def complete(self) -> None:
        """Ingest in this process, as the next run would."""
        with single_writer(self.settings):
            ingest(
                self.settings, live(self.settings, "comtrade", MonthRange.of(SINCE, this_month()))
            )

    def rows(self) -> pd.DataFrame:
        """Read all that the database keeps, as it lies there; it must be sound."""
        with closing(sqlite3.connect(self.database)) as connection:
            (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
            must(answer == "ok", f"integrity_check says {answer}")
            rows = pd.read_sql("SELECT * FROM observations ORDER BY 1, 2, 3, 4, 5, 12", connection)
            known = pd.read_sql("SELECT id, rows FROM vintages ORDER BY id", connection)
        must(set(rows["vintage"]) <= set(known["id"]), "rows are there without their vintage")
        return rows.reset_index(drop=True)

    def left(self) -> str:
        """Say what the store holds; anything but whole vintages is an error."""
        rows = self.rows()
        if rows.equals(self.old):
            return "old"
        told = [name for name in rows.columns if name != "available_at"]
        must(rows[told].equals(self.new[told]), "rows are half written")
        return "new"


def must(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a claim
    """Stop where a claim does not hold."""
    if not holds:
        raise RuntimeError(f"After a killed ingest: {otherwise}.")


def this_month() -> str:
    """Return the month of this machine's clock."""
    return time.strftime("%Y-%m", time.gmtime())


def environment(scene: Scene, more: Mapping[str, str]) -> dict[str, str]:
    """Return what the process must be told."""
    told = {f"MAGNETCAST_{name.upper()}": url for name, url in scene.providers.urls().items()}
    return {
        **DEFAULTS,
        **os.environ,
        **more,
        **told,
        "PYTHONPATH": str(PROJECT_ROOT),
        "MAGNETCAST_HOME": str(scene.home),
        "MAGNETCAST_COMTRADE_KEY": KEY,
    }


def lifetime(scene: Scene, variables: Mapping[str, str]) -> tuple[float, float]:
    """Return how long a process lives, before and after its first call to the provider."""
    scene.reset()
    begun = time.monotonic()
    with started(variables) as process:
        wait_for_call(scene, process, calls=len(scene.providers.calls))
        called = time.monotonic()
        must(process.wait() == 0, "the ingest failed")
    return called - begun, time.monotonic() - called


def kill_once(
    scene: Scene, variables: Mapping[str, str], random_: random.Random, life: tuple[float, float]
) -> Kill | None:
    """Start an ingest on the old vintage, kill it at a random moment and look.

    None where it had ended before the moment came.
    """
    scene.reset()
    calls = len(scene.providers.calls)
    early = random_.random() < 0.2  # noqa: PLR2004 - one in five
    pause = random_.uniform(0, sum(life) if early else life[1])
    with started(variables) as process:
        if not early:
            wait_for_call(scene, process, calls=calls)
        wait(process, pause)
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
    made = len(scene.providers.calls) - calls
    moment = "start" if not made else "fetch" if made < CALLS else "write"
    left = scene.left()
    scene.complete()
    must(scene.left() == "new", "the next ingest did not complete the store")
    return None if ended else Kill(moment, left)


SHORTER = 0.95
"""By which a life is shortened when a moment came too late: the machine got faster."""

CALLS = 20
"""Calls of one ingest of ten years: ten of availability, ten of trade."""


@contextmanager
def started(variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command line and make sure that it is gone afterwards."""
    # The command line is fixed.
    process = subprocess.Popen(  # noqa: S603
        COMMAND, env=dict(variables), stderr=subprocess.DEVNULL, cwd=PROJECT_ROOT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_call(scene: Scene, process: subprocess.Popen[bytes], *, calls: int) -> None:
    """Wait for the first call to the provider, or the process's end."""
    while len(scene.providers.calls) == calls and process.poll() is None:
        time.sleep(PAUSE_S)


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for some time, or the process's end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        time.sleep(PAUSE_S)


def main() -> None:
    from prefect.server.api.server import SubprocessASGIServer  # noqa: PLC0415 - takes seconds

    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    server = SubprocessASGIServer(port=None)
    with tempfile.TemporaryDirectory() as folder, Providers() as providers:
        server.start(timeout=180)
        os.environ["PREFECT_API_URL"] = server.api_url
        try:
            scene = Scene(Path(folder), providers)
            variables = environment(scene, {"PREFECT_API_URL": server.api_url})
            life = lifetime(scene, variables)
            print(
                f"a life: {life[0]:.1f} s before the first call, {life[1]:.1f} s after", flush=True
            )
            random_ = random.Random(850511)  # noqa: S311 - moments, not secrets
            counts: Counter[Kill] = Counter()
            while counts.total() < kills:
                if (kill := kill_once(scene, variables, random_, life)) is None:
                    life = (life[0] * SHORTER, life[1] * SHORTER)
                    continue
                counts[kill] += 1
                print(counts.total(), kill, flush=True)
        finally:
            server.stop()
    print("\n".join(f"{kill.moment}, {kill.left} left: {times}" for kill, times in counts.items()))


if __name__ == "__main__":
    main()

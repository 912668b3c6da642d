"""Charts drawn ahead of whoever asks, in a process of their own.

Drawing holds the interpreter for milliseconds at a time: done by a thread of the service it made
each request of the minute after a publication wait.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import pandas as pd
from sqlalchemy import URL, Engine

from service.charts.kept import keep, pictures
from service.live.publication import Publication, make_publication, read_new_panels
from store.database import open_to_read
from store.publications.published import read_published

_LOG: Final = logging.getLogger("magnetcast.service")

_NICE: Final = 10
"""Niceness of the process that draws, below the one that answers."""

POLL_S: Final = 0.2
"""How often a wait for a picture may be given up."""

Draw = Callable[[Publication, Collection[str]], Generator[object]]
"""Draws the charts of a publication, one a step; all of them in the languages named."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to draw; crosses to the other process."""

    draw: Draw
    store: URL
    meanings: Mapping[str, str]
    now: pd.Timestamp
    languages: tuple[str, ...]
    known: frozenset[str]
    """Digests of pictures that are drawn already."""


def drawn_ahead(
    draw: Draw,
    engine: Engine,
    meanings: Mapping[str, str],
    clock: Callable[[], pd.Timestamp],
    *,
    meanwhile: Callable[[], Iterator[object]] = lambda: iter(()),
) -> Draw:
    """Return ``draw``, with its pictures drawn by another process.

    Closing what it returns ends that process. What it leaves undrawn is drawn here.
    """

    def drawn(publication: Publication, languages: Collection[str]) -> Generator[object]:
        known = frozenset(pictures())
        task = Task(draw, engine.url, dict(meanings), clock(), tuple(languages), known)
        with contextlib.closing(_received(task)) as steps:
            yield next(steps, None)
            yield from meanwhile()
            yield from steps
        yield from draw(publication, languages)

    return drawn


def _received(task: Task) -> Generator[object]:
    """Keep each picture that the process sends; a step ends with each, or after a while."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(theirs, task), name="charts", daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            if pipe.poll(POLL_S):
                keep(pipe.recv())
            yield process.pid
    except (EOFError, OSError):
        process.join()
        if process.exitcode not in (0, -signal.SIGTERM):  # the latter with the service
            _LOG.warning("the process that draws charts ahead ended with %s", process.exitcode)
    finally:
        process.kill()
        process.join()
        pipe.close()


def work(pipe: Connection, task: Task) -> None:
    """Draw and send; the main function of the process."""
    # Ctrl-C ends the service, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    # As if they were drawn: nobody looks at them here.
    keep(dict.fromkeys(task.known, ""))
    with open_to_read(task.store.render_as_string(hide_password=False)) as engine:
        published = read_published(engine)
        panels = read_new_panels(engine, published, {})
    publication = make_publication(published, panels, meanings=task.meanings, now=task.now)
    sent = set(task.known)
    # A broken pipe: the service was killed, and nobody waits for the rest.
    with pipe, contextlib.suppress(BrokenPipeError):
        for _ in task.draw(publication, task.languages):
            new = {key: picture for key, picture in pictures().items() if key not in sent}
            sent |= new.keys()
            pipe.send(new)

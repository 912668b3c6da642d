"""Processes that end with the one that started them."""

import ctypes
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import Final

_PARENT_DEATH_SIGNAL: Final = 1
_PRCTL: Final = getattr(ctypes.CDLL(None), "prctl", None)


def end_with_parent(end: signal.Signals = signal.SIGTERM) -> None:
    """Let Linux end this process when its parent has ended, even by SIGKILL."""
    if _PRCTL is not None:
        _PRCTL(_PARENT_DEATH_SIGNAL, end)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():  # it ended while this one began
        os.kill(os.getpid(), end)


def worker_pool(processes: int) -> ProcessPoolExecutor:
    """Return workers, begun anew and not forked, that end with this process."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        processes, mp_context=spawn, initializer=end_with_parent, initargs=(signal.SIGKILL,)
    )

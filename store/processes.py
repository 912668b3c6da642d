"""Processes that end with the one that started them."""

import ctypes
import signal
from typing import Final

_PARENT_DEATH_SIGNAL: Final = 1
_PRCTL: Final = getattr(ctypes.CDLL(None), "prctl", None)


def end_with_parent(end: signal.Signals = signal.SIGTERM) -> None:
    """Let Linux end this process when its parent has ended, even by SIGKILL."""
    if _PRCTL is not None:
        _PRCTL(_PARENT_DEATH_SIGNAL, end)

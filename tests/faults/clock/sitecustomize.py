"""On PYTHONPATH: lets all that `magnetcast up` starts believe in the day of a home, as it moves."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from tests.faults.nursery import move_clock

AHEAD = Path(os.environ["MAGNETCAST_FAULTS_AHEAD"])


class Moving:
    """Moves the clock once it is loaded; processes that never ask for it load nothing."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the clock, and let it be moved when it was loaded."""
        if name != "flows.clock":
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def load_and_move(module: ModuleType) -> None:
            load(module)
            move_clock(lambda: float(AHEAD.read_text()))

        spec.loader.exec_module = load_and_move  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Moving())

"""The command: ``magnetcast``, or ``python -m magnetcast``."""

import gc
import sys
from typing import Final

_NEW_OBJECTS: Final = 50_000
"""Between two collections; a start, which leaves no garbage, takes hundreds at Python's own 700."""


def main() -> None:
    """Run a verb; without the packages it needs, say where they are had."""
    gc.set_threshold(_NEW_OBJECTS)
    try:
        from flows.cli.app import main as run  # noqa: PLC0415 - may be missing

        run()
    except ImportError as err:
        missing = getattr(err.__cause__ or err, "name", None)
        sys.exit(f'error: this needs {missing or err}. Run `pip install "magnetcast[ops]"`.')


if __name__ == "__main__":
    main()

"""The command: ``magnetcast``, or ``python -m magnetcast``."""

import gc
import sys


def main() -> None:
    """Run a verb; without the packages it needs, say where they are had."""
    gc.set_threshold(50_000)  # a start leaves no garbage, and Python's own 700 looks 400 times
    try:
        from flows.cli.app import main as run  # noqa: PLC0415 - may be missing

        run()
    except ImportError as err:
        missing = getattr(err.__cause__ or err, "name", None)
        sys.exit(f'error: this needs {missing or err}. Run `pip install "magnetcast[ops]"`.')


if __name__ == "__main__":
    main()

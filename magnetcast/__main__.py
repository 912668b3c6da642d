"""The command: ``magnetcast``, or ``python -m magnetcast``."""

import gc
import sys


def main() -> None:
    """Run a verb; if a package is missing, print how to install it."""
    gc.set_threshold(
        50_000
    )  # a start leaves no garbage; Python's default of 700 collects 400 times
    try:
        from flows.cli.command_line import main as run  # noqa: PLC0415 - may be missing

        run()
    except ImportError as err:
        missing = getattr(err.__cause__ or err, "name", None)
        sys.exit(f'error: {missing or err} is not installed. Run `pip install "magnetcast[ops]"`.')


if __name__ == "__main__":
    main()

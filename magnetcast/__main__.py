"""The command: ``magnetcast``, or ``python -m magnetcast``."""

import gc
import resource
import sys
from typing import Final

LEAST_ADDRESSES: Final = 3 * 2**30
"""Bytes of address space; libraries wait for threads without end, or fail to load, with less."""


def main() -> None:
    """Run a verb; if a package is missing, print how to install it."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= limit < LEAST_ADDRESSES:
        sys.exit(
            f"error: A memory limit of {limit / 2**30:.1f} GB (`ulimit -v`) is too low. Expected "
            f"{LEAST_ADDRESSES / 2**30:.0f} GB or none. Raise it; nothing was done."
        )
    gc.set_threshold(
        50_000
    )  # a start leaves no garbage; Python's default of 700 collects 400 times
    try:
        from flows.cli.command_line import main as run  # noqa: PLC0415 - may be missing

        run()
    except ImportError as err:
        cause = err.__cause__ or err
        if not isinstance(cause, ModuleNotFoundError):
            sys.exit(
                f"error: A library cannot be loaded: {cause}. Expected memory for it. Free some."
            )
        missing = cause.name or err
        sys.exit(f'error: {missing} is not installed. Run `pip install "magnetcast[ops]"`.')


if __name__ == "__main__":
    main()

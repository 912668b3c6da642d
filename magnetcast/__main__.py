"""The command: ``magnetcast``, or ``python -m magnetcast``."""

from flows.cli.app import main

if __name__ == "__main__":
    main()

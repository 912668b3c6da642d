"""Serve the fake providers: ``make fake-providers``, or to one command: ``make try-table``."""

import os
import signal
import subprocess
import sys
import threading

from tests.providers.server import Providers


def main() -> None:
    """Serve until interrupted, after printing what to export, or until a command has ended."""
    # A shell lets what it begins in the background ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8511
    with Providers(port=port) as providers:
        # With a key a call brings a year of months, not one.
        exports = {**providers.urls(), "comtrade_key": "comtrade-4711"}
        exports = {f"MAGNETCAST_{name.upper()}": text for name, text in exports.items()}
        if command := sys.argv[2:]:
            environment = {**os.environ, **exports}
            sys.exit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603
        for name, text in exports.items():
            print(f"export {name}={text}")
        print(
            f"# spoil the next answers: curl {providers.url}/misbehave/comtrade/429/3", flush=True
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()

"""Serve the fake providers by hand: ``make fake-providers``."""

import signal
import sys
import threading

from tests.providers.server import Providers


def main() -> None:
    """Serve until interrupted, after printing what to export."""
    # A shell lets what it begins in the background ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8511
    with Providers(port=port) as providers:
        for name, url in providers.urls().items():
            print(f"export MAGNETCAST_{name.upper()}={url}")
        print(
            f"# spoil the next answers: curl {providers.url}/misbehave/comtrade/429/3", flush=True
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()

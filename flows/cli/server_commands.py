"""``magnetcast up`` and ``magnetcast down``: the servers of one machine."""

from store.settings import Settings


def up() -> None:
    """Start Prefect and MLflow servers, a worker and the service, each once; say their addresses.

    All listen on the loopback only; ports are settings. What runs already is left as it is.
    """
    from flows.operations.local_servers import up as start

    start(Settings())


def down() -> None:
    """End what `magnetcast up` started, and nothing else."""
    from flows.operations.local_servers import down as end

    end(Settings())

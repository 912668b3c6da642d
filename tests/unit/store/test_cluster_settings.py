import pytest
from pydantic import ValidationError

from store.settings import Settings


@pytest.mark.parametrize("dask", ["local", "local:2", "tcp://10.0.0.5:8786", "tls://dask:8786"])
def test_a_cluster_is_taken(dask: str) -> None:
    assert Settings(dask=dask).dask == dask


def test_an_empty_cluster_is_none() -> None:
    assert Settings(dask="").dask is None


@pytest.mark.parametrize("dask", ["local:0", "10.0.0.5:8786", "http://dask:8786", "tcp://dask"])
def test_what_names_no_cluster_is_refused(dask: str) -> None:
    with pytest.raises(ValidationError, match="Expected tcp://HOST:PORT, local or local:N"):
        Settings(dask=dask)

import pytest
from pydantic import ValidationError

from store.settings import Settings


def test_an_address_is_taken_without_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNETCAST_COMTRADE_URL", "http://127.0.0.1:8511/comtrade/")

    assert Settings().comtrade_url == "http://127.0.0.1:8511/comtrade"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("comtradeapi.un.org", "not a web address"),
        ("file:///etc/passwd", "not a web address"),
        ("http://127.0.0.1:abc", "Port could not be cast to integer value as 'abc'"),
        ("https://me:s3cr3t@example.org", "a user, a password or a query"),
        ("https://example.org/?key=s3cr3t", "a user, a password or a query"),
    ],
)
def test_what_is_no_plain_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str, message: str
) -> None:
    monkeypatch.setenv("MAGNETCAST_HTS_URL", address)

    with pytest.raises(ValidationError, match=message) as caught:
        Settings()

    assert "s3cr3t" not in str(caught.value)


def test_keys_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNETCAST_COMTRADE_KEY", "s3cr3t")

    settings = Settings()

    assert settings.comtrade_key.get_secret_value() == "s3cr3t"
    assert "s3cr3t" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("dask", ["", "local", "local:2", "tcp://10.0.0.5:8786", "tls://dask:8786"])
def test_a_cluster_is_taken_and_an_empty_one_is_none(dask: str) -> None:
    assert Settings(dask=dask).dask == (dask or None)


@pytest.mark.parametrize("dask", ["local:0", "10.0.0.5:8786", "http://dask:8786", "tcp://dask"])
def test_what_names_no_cluster_is_refused(dask: str) -> None:
    with pytest.raises(ValidationError, match="Expected tcp://HOST:PORT, local or local:N"):
        Settings(dask=dask)


def test_who_set_a_mail_server_is_told_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNETCAST_SMTP_URL", "smtps://me:s3cr3t@mail.example.org:465")

    with pytest.raises(ValidationError, match="takes the place of MAGNETCAST_SMTP_URL") as caught:
        Settings()

    assert "mailtos://USER:PASSWORD@HOST" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)

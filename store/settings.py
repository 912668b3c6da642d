"""Everything the environment may change, read once and checked on entry."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from store.home import IN_CHECKOUT, NAMED_BY, VARIABLE, find_home, is_checkout

PROJECT_ROOT = Path(__file__).resolve().parents[1]
"""Folder of the rooms: of the checkout, or within the installed package."""

IMPORT_ROOT = Path(__file__).resolve().parents[__name__.count(".")]
"""Folder from which Python imports this code."""

PLAIN_URLS = (
    "comtrade_url", "hts_url",
    "federal_register_url", "mofcom_url", "gacc_url", "white_house_url", "cbp_url",
)  # fmt: skip


def _mlflow_folder(values: dict[str, Any]) -> Path:
    """MLflow's folder: below home; of a checkout, ``mlruns`` beside its ``var``."""
    home: Path = values["home"]
    beside = home.parent / "mlruns"
    is_beside = is_checkout(home.parent) or (beside / "mlflow.db").is_file()
    return beside if home.name == IN_CHECKOUT and is_beside else home / "mlruns"


class Settings(BaseSettings):
    """Process settings; ``MAGNETCAST_``-prefixed environment variables override them."""

    model_config = SettingsConfigDict(
        env_prefix="MAGNETCAST_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        # A refused value may be a key, or an address with a password in it.
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default_factory=lambda: find_home().path)
    """Folder of everything that is kept; empty means the nearest upwards."""
    database_url: str | None = None
    """SQLAlchemy address; empty means SQLite below home."""
    data_dir: Path = PROJECT_ROOT / "data"
    """The bundled tables."""
    tracking_uri: str = Field(
        default_factory=lambda fields: f"sqlite:///{_mlflow_folder(fields) / 'mlflow.db'}"
    )
    """MLflow's tracking database; empty means SQLite in `mlruns`."""
    artifact_dir: Path = Field(default_factory=lambda fields: _mlflow_folder(fields) / "artifacts")
    """Where MLflow keeps artifacts; empty means in `mlruns`."""
    threads: int = Field(default=2, ge=1, le=64)
    """Threads LightGBM may use on panels from files."""
    dask: str | None = None
    """Where a folder of Parquet files is forecast: a Dask scheduler, tls://HOST:PORT, or processes
    of this machine, local or local:N; empty means in the process itself."""
    lock_timeout_s: float = Field(default=900.0, gt=0)
    """How long a second writer waits for the first."""
    origins_cache_mb: int = Field(default=500, ge=0)
    """Megabytes of panels and forecasts of past origins that are kept below home, so that what did
    not change is not computed again; 0 keeps none."""
    processes: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1)
    """Processes, of some 300 MB, that share the work on past origins; without, one for each
    processor and four at most."""
    gate_pct: float | None = Field(default=None, gt=0)
    """Change of the next three months, in percent, from which a person must approve a publication;
    empty means never."""

    prefect_port: int = Field(default=4200, ge=1, le=65535)
    """Port of the Prefect server of `make up`."""
    service_port: int = Field(default=8510, ge=1, le=65535)
    """Port of the service of `make up`."""

    comtrade_url: str = "https://comtradeapi.un.org"
    """UN Comtrade, API version 1."""
    comtrade_key: SecretStr | None = None
    """Key of UN Comtrade; without one its preview is asked."""
    hts_url: str = "https://hts.usitc.gov/reststop"
    """US tariff schedule, REST."""
    federal_register_url: str = "https://www.federalregister.gov/api/v1"
    """US Federal Register."""
    mofcom_url: str = "https://www.mofcom.gov.cn/zcfb/blgg/gg"
    """Announcements of China's commerce ministry."""
    gacc_url: str = "http://www.customs.gov.cn/customs/302249/302266/302267"
    """Announcements of China's customs."""
    white_house_url: str = "https://www.whitehouse.gov/presidential-actions/feed"
    """Feed of presidential actions."""
    cbp_url: str = "https://content.govdelivery.com/accounts/USDHSCBP/widgets"
    """Feed of the messages of US customs."""
    offline: bool = False
    """Replay the cache of raw answers; open no connection."""
    http_timeout_s: float = Field(default=60.0, gt=0)
    """How long a provider may be silent; thrice that in all."""
    http_attempts: int = Field(default=5, ge=1, le=20)
    """How often one call is tried before it is given up."""

    public_names: str = ""
    """Names the service is asked by besides those of the loopback, e.g. magnets.example.org."""
    max_body_bytes: int = Field(default=64_000, ge=0)
    """Largest scenario the service takes."""
    proxies: str = ""
    """Addresses or networks of the proxies in front of the service, whose X-Forwarded-For and
    -Proto are believed; without one it binds to the loopback only."""
    what_if_seconds: float = Field(default=60.0, gt=0, le=3600)
    """Seconds that one scenario may take."""
    what_if_waiting: int = Field(default=32, ge=1, le=10_000)
    """Scenarios that may wait for their turn."""

    alert_urls: SecretStr = Field(default=SecretStr(""), validate_default=True)
    """Where alerts of planning.yaml go: addresses of Apprise, separated by blanks, such as
    jsons://HOST/PATH or mailtos://USER:PASSWORD@HOST?to=ADDRESS."""
    alarm_url: SecretStr = SecretStr("")
    """Where a run of the schedule that failed is told, in the same way; empty means nowhere."""

    @field_validator("alert_urls")
    @classmethod
    def _stands_alone(cls, addresses: SecretStr) -> SecretStr:
        gone = [f"MAGNETCAST_{name}" for name in ("SMTP_URL", "MAIL_FROM", "ALERT_KEY")]
        if names := [name for name in gone if os.environ.get(name)]:
            raise ValueError(
                f"takes the place of {', '.join(names)}. Write a mail server as "
                "mailtos://USER:PASSWORD@HOST?from=ADDRESS&to=ADDRESS, a webhook as "
                "jsons://HOST/PATH, and unset the others"
            )
        return addresses

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, home: Path) -> Path:
        """The same folder whatever the current folder becomes; a file is refused."""
        if home.exists() and not home.is_dir():
            raise ValueError("not a folder. Expected one, or a name that is free")
        return home.expanduser().resolve()

    @field_validator("dask")
    @classmethod
    def _is_cluster(cls, dask: str | None) -> str | None:
        if dask and not re.fullmatch(r"local(:[1-9]\d{0,2})?|(tcp|tls)://[^\s/]+:\d+", dask):
            raise ValueError("no Dask cluster. Expected tcp://HOST:PORT, local or local:N")
        return dask or None

    @field_validator(*PLAIN_URLS)
    @classmethod
    def _is_plain_address(cls, address: str | None) -> str | None:
        """Refuse what is no web address, or carries a password that rows would keep."""
        if address is None:
            return None
        parts = urlsplit(address)
        # The port of no number raises an error of its own.
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError("not a web address. Expected http://... or https://...")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "an address with a user, a password or a query. Expected host and path only; "
                "a key has a setting of its own"
            )
        return address.rstrip("/")

    @property
    def home_source(self) -> str:
        if "home" not in self.model_fields_set:
            return find_home().source
        return NAMED_BY.get() if os.environ.get(VARIABLE) else "given in code"

    @property
    def http_cache_dir(self) -> Path:
        return self.home / "cache" / "http"

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'magnetcast.db'}"

    @property
    def publications_dir(self) -> Path:
        return self.home / "publications"

    @property
    def backups_dir(self) -> Path:
        return self.home / "backups"

    @property
    def lock_path(self) -> Path:
        return self.home / "magnetcast.lock"

"""Everything the environment may change, read once and checked on entry."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """Process settings; ``MAGNETCAST_``-prefixed environment variables override them."""

    model_config = SettingsConfigDict(env_prefix="MAGNETCAST_", frozen=True, extra="forbid")

    home: Path = Field(default=Path("var"), description="Database, cache and reports.")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy address; empty means SQLite below home."
    )
    data_dir: Path = Field(default=PROJECT_ROOT / "data", description="The bundled tables.")
    tracking_uri: str = Field(
        default="sqlite:///mlruns/mlflow.db", description="MLflow's tracking database."
    )
    artifact_dir: Path = Field(
        default=Path("mlruns/artifacts"), description="Where MLflow keeps artifacts."
    )
    threads: int = Field(
        default=2, ge=1, le=64, description="Threads LightGBM may use on panels from files."
    )
    lock_timeout_s: float = Field(
        default=900.0, gt=0, description="How long a second writer waits for the first."
    )

    @property
    def url(self) -> str:
        """Return the address of the database."""
        return self.database_url or f"sqlite:///{self.home / 'magnetcast.db'}"

    @property
    def reports_dir(self) -> Path:
        """Return the folder of the reports, one subfolder an as_of."""
        return self.home / "reports"

    @property
    def lock_path(self) -> Path:
        """Return the file that lets one process write at a time."""
        return self.home / "magnetcast.lock"

"""What can be held to without a container engine."""

import re
from typing import Any

import pytest
import yaml

from store.settings import PROJECT_ROOT

DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

KEYS = {
    "image", "build", "restart", "environment", "volumes", "command", "ports", "healthcheck",
    "depends_on", "read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit", "user",
    "profiles", "secrets", "scale",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_known_keys_and_publishes_on_the_loopback_only(name: str) -> None:
    service = SERVICES[name]

    assert set(service) <= KEYS
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"proxy"}))
def test_our_services_run_one_image_and_ask_themselves_how_they_are(name: str) -> None:
    service = SERVICES[name]

    assert service["image"] == "magnetcast:latest"
    assert service["healthcheck"]["test"][1:3] == ["python", "-c"]
    compile(service["healthcheck"]["test"][3], name, "exec")
    assert all(volume.split(":")[0] in COMPOSE["volumes"] for volume in service["volumes"])


def test_who_calls_prefect_must_name_the_password() -> None:
    prefect = SERVICES["prefect"]["environment"]

    assert prefect["PREFECT_SERVER_API_AUTH_STRING"].startswith("magnetcast:${MAGNETCAST_PASSW")
    assert "*" not in prefect["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]


def pins(name: str) -> set[str]:
    return set(re.findall(r"^\S+==\S+", (PROJECT_ROOT / name).read_text(), re.MULTILINE))


def test_the_image_has_what_was_tested_and_no_tools_of_development() -> None:
    image = pins("requirements.image.lock")
    names = {pin.partition("==")[0] for pin in image}

    assert [words for _, words in instructions() if words.endswith("-r requirements.image.lock")]
    assert image < pins("requirements.lock")
    assert {"lightgbm", "mlflow", "prefect", "distributed", "hatchling"} <= names
    assert not {"pytest", "mypy", "ruff", "playwright", "mkdocs-material"} & names


def test_secrets_stay_out_of_git_and_of_the_image() -> None:
    for name in (".gitignore", ".dockerignore"):
        lines = (PROJECT_ROOT / name).read_text().splitlines()
        assert {"deploy/tls", ".env", "*.pem", "*.key"} <= {
            line.removeprefix("**/").removesuffix("/") for line in lines
        }

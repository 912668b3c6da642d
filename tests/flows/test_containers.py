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
    "depends_on", "read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit",
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
    assert service["image"] == "magnetcast:latest"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["healthcheck"]["test"][:3] == ["CMD", "python", "-c"]
    compile(service["healthcheck"]["test"][3], name, "exec")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert all(volume.split(":")[0] in COMPOSE["volumes"] for volume in service["volumes"])


def test_who_calls_prefect_must_name_the_password() -> None:
    prefect = SERVICES["prefect"]["environment"]

    assert prefect["PREFECT_SERVER_API_AUTH_STRING"].startswith("magnetcast:${MAGNETCAST_PASSW")
    assert "*" not in prefect["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]


def test_the_image_is_pinned_runs_as_no_root_and_installs_by_hash() -> None:
    found = instructions()
    words = [word for word, _ in found]

    assert words[0] == "FROM"
    assert re.fullmatch(r"python:3\.11-[a-z-]+", found[0][1])
    assert found[-1][0] == "CMD"
    users = [rest for word, rest in found if word == "USER"]
    assert users
    assert users[-1] != "root"
    assert not {"ADD", "MAINTAINER"} & set(words)
    runs = [rest for word, rest in found if word == "RUN"]
    assert not any("sudo" in rest or "curl" in rest for rest in runs)
    for rest in runs:
        if "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists" in rest
        if "pip install" in rest:
            assert "--no-cache-dir" in rest
            assert "--require-hashes" in rest or "--no-deps" in rest
    for rest in (rest for word, rest in found if word == "COPY"):
        for source in rest.split()[:-1]:
            assert (PROJECT_ROOT / source).exists()
    assert all(rest.startswith("/") for word, rest in found if word == "WORKDIR")

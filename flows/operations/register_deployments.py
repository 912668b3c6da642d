"""Registers with a Prefect server what ``prefect.yaml`` needs, its deployments, and automations.

``python -m flows.operations.register_deployments``, with ``PREFECT_API_URL`` naming the server;
again changes nothing.
"""

import subprocess
import sys
from typing import Final

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from flows.operations.automations import automate
from flows.operations.limits import TRAINING
from flows.operations.local_servers import POOL
from store.errors import StoreError
from store.settings import PROJECT_ROOT, Settings

POOLS: Final = {POOL: "process", f"{POOL}-docker": "docker"}
"""Kind of each work pool of ``prefect.yaml``."""

DEPLOY: Final = (sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all")


async def prepare() -> None:
    """Make the work pools, and the limit that lets one deployment train at a time."""
    async with get_client() as client:
        for name, kind in POOLS.items():
            template = await get_default_base_job_template_for_infrastructure_type(kind)
            try:
                await client.create_work_pool(
                    WorkPoolCreate(name=name, type=kind, base_job_template=template or {})
                )
            except ObjectAlreadyExists:
                continue
        await client.upsert_global_concurrency_limit_by_name(TRAINING, 1)


def deploy() -> None:
    """Hand ``prefect.yaml`` to Prefect.

    Raises:
        StoreError: It refuses a deployment.
    """
    # The command is our own list of words.
    answer = subprocess.run(  # noqa: S603
        DEPLOY, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise StoreError(
            f"prefect deploy failed: {answer.stdout[-2000:]}{answer.stderr[-2000:]} Expected it to "
            "take every deployment of prefect.yaml. Correct that file."
        )


if __name__ == "__main__":
    import asyncio

    asyncio.run(prepare())
    deploy()
    asyncio.run(automate(Settings()))

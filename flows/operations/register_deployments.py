"""Registers with a Prefect server what ``prefect.yaml`` needs, its deployments, and automations.

``python -m flows.operations.register_deployments``, with ``PREFECT_API_URL`` naming the server;
again changes nothing. The automations post when a run fails, an alarm is raised or no check was
made; Prefect's server posts by itself, so it also reports a dead worker. Without an address nothing
is posted; events are kept all the same.
"""

import subprocess
import sys
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.actions import CallWebhook
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from flows.operations.local_servers import POOL
from flows.operations.prefect_events import ALARM, CHECKED, REFUSED, TRAINING
from store.errors import DataError, StoreError
from store.settings import PROJECT_ROOT, Settings

BLOCK: Final = "magnetcast-alarm"

SILENCE: Final = timedelta(hours=26)
"""The daily check, and two hours for it to be late."""

WATCHED: Final = (
    "scheduled-ingest", "scheduled-publication", "scheduled-backtest", "scheduled-tuning",
    "scheduled-backup",
)  # fmt: skip
"""Flows whose failure is posted. The check's is not: it posts each alarm itself."""

ENDS: Final = frozenset(
    {"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}
)

_FAILED: Final = (
    '{"text": {{ ("magnetcast: " ~ flow.name ~ " failed: " ~ (flow_run.state.message or "")) '
    "| tojson }}}"
)
_ALARM: Final = (
    '{"text": {{ ("magnetcast: " ~ event.payload["alarm"] ~ ": " ~ event.payload["words"]) '
    "| tojson }}}"
)
_SILENT: Final = '{"text": "magnetcast: no daily check for 26 hours. Is the worker up?"}'


def automations(webhook: UUID) -> list[AutomationCore]:
    """Return the automations."""
    failed = EventTrigger(
        expect=set(ENDS),
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": list(WATCHED)},
        posture=Posture.Reactive,
        threshold=1,
    )
    alarm = EventTrigger(expect={ALARM, REFUSED}, posture=Posture.Reactive, threshold=1)
    silent = EventTrigger(expect={CHECKED}, posture=Posture.Proactive, threshold=1, within=SILENCE)
    reactive = [("a run failed", failed, _FAILED), ("an alarm", alarm, _ALARM)]
    return [
        AutomationCore(
            name=f"magnetcast: {name}",
            trigger=trigger,
            actions=[CallWebhook(block_document_id=webhook, payload=payload)],
        )
        for name, trigger, payload in [*reactive, ("no check", silent, _SILENT)]
    ]


async def automate(settings: Settings) -> int:
    """Register the automations, replacing those of the same names; return how many there are.

    Args:
        settings: ``alarm_url`` is where to post; empty removes the automations.

    Raises:
        DataError: The address is not a web address.
    """
    url = settings.alarm_url.get_secret_value()
    if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
        raise DataError(
            "MAGNETCAST_ALARM_URL is not a web address. Expected http://... or https://... "
            "Correct it, or leave it empty to post nothing."
        )
    async with get_client() as client:
        if not url:
            await _remove(client)
            return 0
        block = await Webhook(url=settings.alarm_url).asave(BLOCK, overwrite=True)
        wanted = automations(block)
        for one in wanted:
            found = await client.read_automations_by_name(one.name)
            if found:
                await client.update_automation(found[0].id, one)
            else:
                await client.create_automation(one)
        return len(wanted)


async def _remove(client: PrefectClient) -> None:
    for one in automations(UUID(int=0)):
        for found in await client.read_automations_by_name(one.name):
            await client.delete_automation(found.id)


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

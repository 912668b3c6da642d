"""Registers with a Prefect server what ``prefect.yaml`` needs, its deployments, and automations.

``python -m flows.operations.register_deployments``, with ``PREFECT_API_URL`` naming the server;
again changes nothing. The automations post when a run fails, an alarm is raised or no check was
made; Prefect's server posts by itself, so it also reports a dead worker. Without an address nothing
is posted; events are kept all the same.
"""

import ast
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import yaml
from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import CallWebhook
from prefect.exceptions import ObjectAlreadyExists
from prefect.utilities.callables import parameter_schema_from_entrypoint
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from flows.operations.local_servers import POOL
from flows.operations.prefect_events import ALARM, CHECKED, REFUSED, TRAINING
from store.errors import DataError
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


async def deploy() -> int:
    """Register the deployments of ``prefect.yaml``, as ``prefect deploy --all``; return how many.

    Their flows are read and not imported, which takes seconds.
    """
    declared = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    async with get_client() as client:
        for one in declared["deployments"]:
            entrypoint, pool = f"{PROJECT_ROOT}/{one['entrypoint']}", one["work_pool"]
            await client.create_deployment(
                flow_id=await client.create_flow_from_name(_flow_name(entrypoint)),
                name=one["name"],
                description=one.get("description"),
                tags=one.get("tags"),
                entrypoint=one["entrypoint"],
                parameters=one.get("parameters"),
                parameter_openapi_schema=parameter_schema_from_entrypoint(entrypoint).model_dump(),
                enforce_parameter_schema=True,
                schedules=[_schedule(**schedule) for schedule in one["schedules"]],
                work_pool_name=pool["name"],
                job_variables=pool.get("job_variables"),
                pull_steps=HERE if POOLS[pool["name"]] == "process" else None,
            )
    return len(declared["deployments"])


HERE: Final = [
    {"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT_ROOT)}}
]
"""Where a process of this machine finds the code; a container starts in the folder with it."""


def _flow_name(entrypoint: str) -> str:
    """Return the name of a flow, read from its decorator."""
    path, function = entrypoint.rsplit(":", 1)
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    names = [
        ast.literal_eval(keyword.value)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == function
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
        if keyword.arg == "name"
    ]
    return str(names[0])


def _schedule(
    cron: str, timezone: str, slug: str | None = None, *, active: bool = True
) -> DeploymentScheduleCreate:
    schedule = CronSchedule(cron=cron, timezone=timezone)
    return DeploymentScheduleCreate(schedule=schedule, slug=slug, active=active)


async def register(settings: Settings) -> None:
    """Register pools, limit, deployments and automations."""
    await prepare()
    await deploy()
    await automate(settings)


if __name__ == "__main__":
    import asyncio

    asyncio.run(register(Settings()))

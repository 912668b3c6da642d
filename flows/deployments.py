"""What the schedule starts: flows of Prefect, thin over the functions of people's verbs.

``main`` serves them, one run at a time, to the server that ``PREFECT_API_URL`` names. Each uses
the moment it starts unless a person names another. The server refuses a run whose parameters are
not those of its flow. Times are Beijing's: China's customs publish detail by destination on the
20th, for January and February together on 20 March (data/release_dates.csv).
"""

from typing import Annotated, Any, Final, Literal

import httpx
from prefect import Flow, flow, serve
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.runner import RunnerDeployment
from prefect.runtime import flow_run
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.callables import ParameterSchema
from pydantic import AfterValidator, Field

from flows.backup import back_up, prune
from flows.cli.options import moment
from flows.cli.run_commands import run_tables_and_tell
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.library_defaults import set_defaults
from flows.context.stores import single_writer
from flows.context.workspace import workspace_with
from flows.ingest.ingest import ingest_exclusively
from flows.ingest.sources import live, months_to_fetch
from flows.monitoring.health import examine
from flows.monitoring.monitors import watch_if_possible
from flows.run import run
from flows.training.backtest import backtest
from flows.training.train import train
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET
from sources.http import KEY_PAGES
from sources.providers.live_sources import without_key
from store.asof import MOMENT
from store.errors import DataError
from store.settings import Settings

BACKUPS_KEPT: Final = 8

Asked = Literal[
    "bundled", "comtrade", "comtrade_mirror", "census", "comext", "hts", "federal_register",
    "mofcom", "gacc", "white_house", "cbp",
]  # fmt: skip

INGESTS: Final[dict[Asked, str]] = {
    "bundled": "0 5 * * *",  # a new release of the code may bring new tables
    "comtrade": "0 6 * * *",  # takes China's months in some time after their release
    "comtrade_mirror": "30 6 * * 1",  # partners report on days of their own
    "census": "0 7 3-12 * *",  # publishes about the 5th, five weeks after the month
    "comext": "30 7 14-20 * *",  # publishes in mid-month, and revises
    "hts": "30 8 * * 2",  # revised without notice
    "federal_register": "0 22 * * 1-5",  # after each issue
    "mofcom": "30 21 * * *",  # announces on any day, often in the evening
    "gacc": "0 9 * * 6",  # its joint announcements are on the ministry's list too
    "white_house": "45 21 * * *",  # often days before the Federal Register
    "cbp": "15 22 * * 1-5",  # on working days
}
"""When each source is asked."""

RELEASES: Final = ("30 19 20 1,3-12 *", "30 9 21-31 1,3-12 *", "30 9 1-9 2 *")
"""The main job: on the evening of each release, and the mornings after for a late one."""


def _run_name() -> str:
    asked = [str(one) for one in flow_run.parameters.values() if one is not None]
    return " ".join([str(flow_run.flow_name), *asked, f"{utc_now():%Y-%m-%d}"])


def post(made: Flow[Any, Any], _: FlowRun, state: State[Any]) -> None:
    """Post that a run failed; where the address does not answer, Prefect's log says so."""
    if url := Settings().alarm_url.get_secret_value():
        text = f"magnetcast: {made.name} failed: {state.message}"
        httpx.post(url, json={"text": text}, timeout=30).raise_for_status()


OFTEN: Final[dict[str, Any]] = {
    "flow_run_name": _run_name,
    "on_failure": [post],
    "on_crashed": [post],
}


def _checked(text: str) -> str:
    return text if moment(text, option="as_of") else ""


def _parameter_schema() -> dict[str, Any]:
    """Return what the server checks both models' parameters by; a run refuses the other's."""
    defaults = {**PANEL_PRESET.by_name, **MAGNETS_PRESET.by_name}
    known = {
        name: {
            "type": "integer" if isinstance(defaults[name], int) else "number",
            "minimum": one.low,
            "maximum": one.high,
            "description": one.meaning,
        }
        for name, one in {**PANEL_PRESET.bounds(), **MAGNETS_PRESET.bounds()}.items()
    }
    return {"properties": known, "additionalProperties": False}


Day = Annotated[str, Field(pattern=MOMENT), AfterValidator(_checked)]
Parameters = Annotated[dict[str, float], Field(json_schema_extra=_parameter_schema())]
ParametersPath = Annotated[str, Field(pattern=r"^default$|\.(toml|json)$")]


@flow(name="scheduled-ingest", retries=3, retry_delay_seconds=600, **OFTEN)
def ingest_source(source: Asked) -> None:
    """Bring one source up to date; a provider that is away is asked again.

    One that needs a key is passed over without; ``magnetcast status`` names it.
    """
    settings = Settings()
    if source == "bundled":
        ingest_exclusively(settings, None, source="the bundled tables")
        return
    if source in without_key(settings):
        echo(f"ingest    {source} is not asked: no key is set, free at {KEY_PAGES[source]}")
        return
    request = live(settings, source, months_to_fetch(settings, source, since=None, until=None))
    ingest_exclusively(settings, request, source=source)


@flow(name="scheduled-publication", retries=3, retry_delay_seconds=900, **OFTEN)
def publish(as_of: Day | None = None) -> None:
    """Run the main job; where nothing is new, or it was done before, nothing is published."""
    settings, now = Settings(), moment(as_of)
    run_tables_and_tell(settings, now)
    run(settings, now)


@flow(name="scheduled-check", **OFTEN)
def check() -> None:
    """Measure, then fail if anything is stale, degraded or broken: a failed run is what is noticed.

    Raises:
        DataError: What is wrong.
    """
    settings, now = Settings(), utc_now()
    watch_if_possible(settings, now)
    health = examine(settings, now)
    if health.code:
        raise DataError("\n".join(f"{one.name}: {one.words}" for one in health.alarms))


@flow(name="scheduled-backtest", retries=1, retry_delay_seconds=900, **OFTEN)
def backtest_week(
    as_of: Day | None = None,
    commodity: str | None = None,
    set: Parameters | None = None,  # noqa: A002 - as the verb's option
    parameters: ParametersPath | None = None,
) -> None:
    """Backtest on what is known, and keep the scores; parameters are those of the verb."""
    settings, known_by = Settings(), moment(as_of)
    with single_writer(settings):
        backtest(workspace_with(settings, known_by, commodity, set or {}, parameters))


@flow(name="training", **OFTEN)
def train_model(
    as_of: Day | None = None,
    commodity: str | None = None,
    set: Parameters | None = None,  # noqa: A002 - as the verb's option
    parameters: ParametersPath | None = None,
) -> None:
    """Train, register and promote by the gate, as the verb does; whenever a person asks."""
    settings, known_by = Settings(), moment(as_of)
    with single_writer(settings):
        train(workspace_with(settings, known_by, commodity, set or {}, parameters))


@flow(name="scheduled-backup", retries=2, retry_delay_seconds=900, **OFTEN)
def keep_safe() -> None:
    """Back up, keep the newest backups, and delete old raw answers."""
    settings, now = Settings(), utc_now()
    back_up(settings, settings.backups_dir / f"magnetcast-{now:%Y%m%d-%H%M%S}.tar.gz")
    made = sorted(settings.backups_dir.glob("magnetcast-*.tar.gz"))
    for old in made[:-BACKUPS_KEPT]:
        old.unlink()
    prune(settings, now)


class _Exactly(ParameterSchema):
    """Prefect's own description of a flow's parameters, which lets others pass; this does not."""

    additionalProperties: bool  # noqa: N815 - JSON Schema's word


def deployments() -> list[RunnerDeployment]:
    """Return each flow with its name and times."""

    def at(*crons: str) -> list[Schedule]:
        return [Cron(one, timezone="Asia/Shanghai") for one in crons]

    def made(of: Flow[Any, Any], name: str, *crons: str, **parameters: str) -> RunnerDeployment:
        one: RunnerDeployment = of.to_deployment(  # type: ignore[assignment]  # no loop: no coroutine
            name,
            schedules=at(*crons),
            parameters=parameters,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        one._parameter_openapi_schema = _Exactly(
            **one._parameter_openapi_schema.model_dump(exclude_unset=True),
            additionalProperties=False,
        )
        return one

    return [
        *(made(ingest_source, name, cron, source=name) for name, cron in INGESTS.items()),
        made(publish, "monthly", *RELEASES),
        made(check, "daily", "0 10 * * *"),
        made(backtest_week, "weekly", "0 2 * * 6"),
        made(train_model, "on-demand"),
        made(keep_safe, "safe", "0 4 * * 0"),
    ]


def main() -> None:
    """Register all with Prefect's server and start what is due, one run at a time."""
    set_defaults()  # Prefect starts each run as a process of its own, which reads them
    serve(*deployments(), pause_on_shutdown=False, print_starting_message=False, limit=1)

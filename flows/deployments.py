"""Scheduled Prefect flows, thin over the functions of the verbs.

``main`` serves them, one run at a time, to the server of ``PREFECT_API_URL``. The as-of of a run is
its start unless another is given. The server refuses parameters that a flow does not have. Times
are in Beijing: China Customs publishes detail by destination on the 20th, for January and February
together on 20 March (data/release_dates.csv).
"""

from typing import Annotated, Any, Final, Literal

from prefect import Flow, flow, serve
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.runner import RunnerDeployment
from prefect.runtime import flow_run
from prefect.schedules import Cron
from prefect.states import Failed
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.callables import ParameterSchema
from pydantic import AfterValidator, Field

from flows.backup import back_up, prune
from flows.cli.options import moment
from flows.cli.run_commands import run_tables_and_tell
from flows.clock import utc_now
from flows.context.library_defaults import set_defaults
from flows.context.notices import Receivers
from flows.context.parameter_sources import parameters_for
from flows.context.run_config import config_of
from flows.context.stores import single_writer
from flows.context.workspace import open_workspace
from flows.ingest.ingest import ingest_exclusively
from flows.ingest.sources import live, months_to_fetch
from flows.publishing.site_writing import show_publications
from flows.run import run, watch_if_possible
from flows.system_health import alarm_news, examine
from flows.training.backtest_records import backtest
from flows.training.train import train
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET
from store.asof import MOMENT
from store.errors import SourceError
from store.settings import Settings

BACKUPS_KEPT: Final = 8

ALARM: Final = "Alarm"
"""Name of the failed state of a check whose alarms were posted."""

Asked = Literal[
    "bundled", "comtrade", "hts", "federal_register", "mofcom", "gacc", "white_house", "cbp",
]  # fmt: skip

INGESTS: Final[dict[Asked, str]] = {
    "bundled": "0 5 * * *",  # a new release of the code may have new tables
    "comtrade": "0 6 * * *",  # loads China's months some time after their release
    "hts": "30 8 * * 2",  # revised without notice
    "federal_register": "0 22 * * 1-5",  # after each issue
    "mofcom": "30 21 * * *",  # announces on any day, often in the evening
    "gacc": "0 9 * * 6",  # its joint announcements are on the ministry's list too
    "white_house": "45 21 * * *",  # often days before the Federal Register
    "cbp": "15 22 * * 1-5",  # on working days
}
"""Schedule of each source."""

RELEASES: Final = ("30 19 20 1,3-12 *", "30 9 21-31 1,3-12 *", "30 9 1-9 2 *")
"""The main job: on the evening of each release, and the mornings after for a late one."""


def _run_name() -> str:
    values = [str(value) for value in flow_run.parameters.values() if value is not None]
    return " ".join([str(flow_run.flow_name), *values, f"{utc_now():%Y-%m-%d}"])


def post(failed: Flow[Any, Any], _: FlowRun, state: State[Any]) -> None:
    """Post that a run failed; Prefect logs that nobody took it."""
    if state.name != ALARM:
        _post(f"magnetcast: {failed.name} failed: {state.message}")


def _post(text: str) -> None:
    receivers = Receivers(Settings().alarm_url, "ALARM_URL")
    is_sent, trouble = receivers.deliver("magnetcast", text)
    if trouble and not is_sent:
        raise SourceError(f"MAGNETCAST_ALARM_URL: {trouble}. Expected a receiver. Correct it.")


OFTEN: Final[dict[str, Any]] = {
    "flow_run_name": _run_name,
    "on_failure": [post],
    "on_crashed": [post],
}


def _checked(text: str) -> str:
    return text if moment(text, option="as_of") else ""


def _parameter_schema() -> dict[str, Any]:
    """JSON Schema of both models' parameters; a run refuses those of the other model."""
    defaults = {**PANEL_PRESET.by_name, **MAGNETS_PRESET.by_name}
    properties = {
        name: {
            "type": "integer" if isinstance(defaults[name], int) else "number",
            "minimum": bounds.low,
            "maximum": bounds.high,
            "description": bounds.meaning,
        }
        for name, bounds in {**PANEL_PRESET.bounds(), **MAGNETS_PRESET.bounds()}.items()
    }
    return {"properties": properties, "additionalProperties": False}


Day = Annotated[str, Field(pattern=MOMENT), AfterValidator(_checked)]
Parameters = Annotated[dict[str, float], Field(json_schema_extra=_parameter_schema())]
ParametersPath = Annotated[str, Field(pattern=r"^default$|\.(toml|json)$")]


@flow(name="scheduled-ingest", retries=3, retry_delay_seconds=600, **OFTEN)
def ingest_source(source: Asked) -> None:
    """Load one source; an unavailable provider is asked again."""
    settings = Settings()
    if source == "bundled":
        ingest_exclusively(settings, None, source="the bundled tables")
        return
    request = live(settings, source, months_to_fetch(settings, source, since=None, until=None))
    ingest_exclusively(settings, request, source=source)


@flow(name="scheduled-publication", retries=3, retry_delay_seconds=900, **OFTEN)
def publish(as_of: Day | None = None) -> None:
    """Run the main job; without new facts nothing is published."""
    settings, as_of_time = Settings(), moment(as_of)
    run_tables_and_tell(settings, as_of_time)
    run(settings, as_of_time)


@flow(name="scheduled-check", **OFTEN)
def check() -> State[Any] | None:
    """Update the monitors and the site, post alarms that begin or end, fail if anything is wrong.

    Each is posted once, as soon as the receiver answers.
    """
    settings, checked_at = Settings(), utc_now()
    watch_if_possible(settings, checked_at)
    show_publications(settings)
    health = examine(settings, checked_at)
    with alarm_news(settings, health) as news:
        if news:
            _post("\n".join(["magnetcast:", *news]))
    words = "\n".join(f"{alarm.name}: {alarm.words}" for alarm in health.alarms)
    return Failed(name=ALARM, message=words) if words else None


@flow(name="scheduled-backtest", retries=1, retry_delay_seconds=900, **OFTEN)
def backtest_week(
    as_of: Day | None = None,
    commodity: str | None = None,
    set: Parameters | None = None,  # noqa: A002 - as the verb's option
    parameters: ParametersPath | None = None,
) -> None:
    """Backtest and store the scores; parameters are those of the verb."""
    settings, known_by, config = Settings(), moment(as_of), config_of(commodity)
    values = parameters_for(settings, known_by, parameters, set or {}, config=config).parameters
    with single_writer(settings):
        backtest(open_workspace(settings, known_by, config, parameters=values))


@flow(name="training", **OFTEN)
def train_model(
    as_of: Day | None = None,
    commodity: str | None = None,
    set: Parameters | None = None,  # noqa: A002 - as the verb's option
    parameters: ParametersPath | None = None,
) -> None:
    """Train, register and promote by the gate, on demand; parameters are those of the verb."""
    settings, known_by, config = Settings(), moment(as_of), config_of(commodity)
    values = parameters_for(settings, known_by, parameters, set or {}, config=config).parameters
    with single_writer(settings):
        train(open_workspace(settings, known_by, config, parameters=values))


@flow(name="scheduled-backup", retries=2, retry_delay_seconds=900, **OFTEN)
def keep_safe() -> None:
    """Back up; delete old backups and old raw answers."""
    settings, started_at = Settings(), utc_now()
    back_up(settings, settings.backups_dir / f"magnetcast-{started_at:%Y%m%d-%H%M%S}.tar.gz")
    backups = sorted(settings.backups_dir.glob("magnetcast-*.tar.gz"))
    for old in backups[:-BACKUPS_KEPT]:
        old.unlink()
        old.with_name(f"{old.name}.sha256").unlink(missing_ok=True)  # of 0.1.0
    prune(settings, started_at)


class _Exactly(ParameterSchema):
    """Prefect's schema of a flow's parameters, which refuses unknown ones."""

    additionalProperties: bool  # noqa: N815 - JSON Schema's word


def deployments() -> list[RunnerDeployment]:
    """Deployments of the flows with their names and schedules."""

    def deployment(
        of: Flow[Any, Any], name: str, *crons: str, **parameters: str
    ) -> RunnerDeployment:
        result: RunnerDeployment = of.to_deployment(  # type: ignore[assignment]  # no loop: no coroutine
            name,
            schedules=[Cron(cron, timezone="Asia/Shanghai") for cron in crons],
            parameters=parameters,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        result._parameter_openapi_schema = _Exactly(
            **result._parameter_openapi_schema.model_dump(exclude_unset=True),
            additionalProperties=False,
        )
        return result

    return [
        *(deployment(ingest_source, name, cron, source=name) for name, cron in INGESTS.items()),
        deployment(publish, "monthly", *RELEASES),
        deployment(check, "daily", "0 10 * * *"),
        deployment(backtest_week, "weekly", "0 2 * * 6"),
        deployment(train_model, "on-demand"),
        deployment(keep_safe, "safe", "0 4 * * 0"),
    ]


def main() -> None:
    """Register all flows with Prefect's server and run them when due, one at a time."""
    set_defaults()  # read by the process of each run
    serve(*deployments(), pause_on_shutdown=False, print_starting_message=False, limit=1)

"""Bring facts into the store."""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.clock import utc_now
from flows.console import say
from flows.workspace import store_of
from sources.bundled import load_bundled
from store.batch import WriteReport
from store.settings import Settings
from store.writing import write_batch

load_bundled_task = task(name="load-bundled", cache_policy=NO_CACHE)(load_bundled)
write_batch_task = task(name="write-batch", cache_policy=NO_CACHE)(write_batch)


@flow(name="ingest", validate_parameters=False)
def ingest(settings: Settings) -> WriteReport:
    """Load the bundled tables into the store, all or nothing; known files are left as they are."""
    batch = load_bundled_task(settings.data_dir)
    report = write_batch_task(store_of(settings), batch, ingested_at=utc_now())
    say(f"ingest    {describe(report)}")
    return report


def describe(report: WriteReport) -> str:
    """Say in one line what was written."""
    if report.already_known:
        return "nothing new in the bundled tables"
    written = ", ".join(f"{rows} {table}" for table, rows in report.rows_written.items() if rows)
    return f"{report.total} new rows ({written})"

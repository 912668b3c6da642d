"""What the service is made of: the site of the home, and questions that are opened later."""

import json
from collections.abc import Iterator
from pathlib import Path

from starlette.types import ASGIApp

from service.app import Later, create_app
from store.settings import Settings


def app_of(settings: Settings) -> ASGIApp:
    """App of the service of a home."""
    site = settings.home / "site"
    names = settings.public_names.lower().replace(",", " ").split()
    return create_app(
        site, Later(lambda: _questions(settings)), lambda: "".join(_metrics(site)), names=names
    )


def _questions(settings: Settings) -> ASGIApp:
    from features.build import DRIVER_MEANINGS  # noqa: PLC0415 - pandas takes half a second
    from flows.analysis.served_scenarios import what_if  # noqa: PLC0415 - as above
    from flows.clock import utc_now  # noqa: PLC0415 - as above
    from flows.context.stores import store_of  # noqa: PLC0415 - as above
    from service.questions import Questions, questions_app  # noqa: PLC0415 - as above

    return questions_app(
        Questions(
            store_of(settings), what_if(settings), meanings=DRIVER_MEANINGS, clock=utc_now,
            max_body_bytes=settings.max_body_bytes,
        )
    )  # fmt: skip


def _metrics(site: Path) -> Iterator[str]:
    """Lines for Prometheus, from the status that the site was written with."""
    try:
        status = json.loads((site / "api/v1/status.json").read_text(encoding="utf-8"))
        index = json.loads((site / "api/v1/index.json").read_text(encoding="utf-8"))
    except OSError:
        yield "magnetcast_published 0\n"
        return
    yield "magnetcast_published 1\n"
    yield f"magnetcast_status {status['code']}\n"
    for alarm in status["alarms"]:
        yield f'magnetcast_alarm{{alarm="{alarm["alarm"]}"}} 1\n'
    for row in index["publications"]:
        yield f'magnetcast_publication{{commodity="{row["commodity"]}"}} {row["publication"]}\n'

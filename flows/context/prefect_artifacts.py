"""What a job leaves beside its run in Prefect: tables and pictures; nothing outside a run."""

import base64
import io
import re
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from flows.context.prefect_runs import is_in_run
from store.vocabulary import WORLD

WIDTH: Final = 1000
"""Pixels of a picture: it is kept within Prefect's database, for a page shows no file."""

_COLOURS: Final = 64


def leave_table(key: str, table: pd.DataFrame, description: str) -> None:
    """Leave a table, its numbers to three places.

    Args:
        table: What is shown; its index is not.
    """
    if is_in_run():
        from prefect.artifacts import create_table_artifact  # noqa: PLC0415 - loaded already

        shown = table.round(3).astype(object).where(table.notna(), None)
        columns = {str(name): shown[name].tolist() for name in shown}
        create_table_artifact(columns, key=key, description=description)


def leave_picture(key: str, drawn: bytes | Figure, description: str) -> None:
    """Leave a picture, a PNG or a figure, made small; ``key`` as for a table."""
    if not is_in_run():
        return
    from prefect.artifacts import create_image_artifact  # noqa: PLC0415 - loaded already

    picture = Image.open(io.BytesIO(drawn if isinstance(drawn, bytes) else _png(drawn)))
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    picture.convert("RGB").quantize(_COLOURS).save(small, format="PNG", optimize=True)
    address = f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"
    create_image_artifact(address, key=key, description=description)


def leave_forecast(forecasts: pd.DataFrame, report: Path, about: str, *, goods: str = "") -> None:
    """Leave the world's forecast as a table and, where the report drew it, as a picture.

    Args:
        forecasts: As ``store.vocabulary.FORECAST_COLUMNS``, tonnes.
        goods: Key of what is forecast; empty for magnets.
    """
    world = forecasts.loc[forecasts["destination"] == WORLD, ["period", "p10", "p50", "p90"]]
    leave_table(key_of("world forecast", goods), world.round(0), f"World, tonnes. {about}")
    fan = report.with_name(f"fan_{WORLD}.png")
    if fan.exists():
        leave_picture(key_of("world fan", goods), fan.read_bytes(), f"World, tonnes. {about}")


def key_of(*words: str) -> str:
    """Return a key made of words: lowercase letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=WIDTH / figure.get_figwidth())
    return drawn.getvalue()

"""One step of a forecast on a panel in parts, timed; run by scale.py in a process of its own.

Usage: scale_steps.py STEP FOLDER HORIZON; prints one line of JSON: wall and processor seconds, rows
and bytes made.
Reading the parts is not timed.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from models.engine.forecast import CHUNK, engine_at, train_engine, training_series
from models.engine.training_set import PanelView, training_set
from models.learning.spec import EngineSpec
from models.statistical.experts import EXPERTS, Expert
from models.statistical.seasonality import season_profiles
from sources.files.panel import read_panel, read_part
from sources.files.panel_parts import parts_of
from store.vocabulary import QUANTILES

Floats = NDArray[np.float64]
SPEC = EngineSpec(threads=1)
ROUNDS = 3


@dataclass(slots=True)
class Took:
    """What a step took and made."""

    seconds: float = 0.0
    cpu: float = 0.0
    rows: int = 0
    bytes: int = 0

    @contextmanager
    def timed(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def made(self, table: NDArray[np.float32] | Floats) -> None:
        self.rows += table.size // table.shape[-1]
        self.bytes += table.nbytes


def blocks(folder: Path) -> Iterator[Floats]:
    """Yield the tonnes of the parts, one held at a time."""
    for part in parts_of(folder):
        yield read_part(part).table.to_numpy(dtype=float)


def teachers(folder: Path) -> PanelView:
    """Return as many series as are trained on, the first that come."""
    values: list[Floats] = []
    for block in blocks(folder):
        values.append(block)
        if sum(map(len, values)) >= SPEC.most_series:
            break
    return PanelView(np.concatenate(values)[: SPEC.most_series], 0, HORIZON)


def features(folder: Path) -> Took:
    """All rows the engine looks at: lessons of past origins, and every series at the cutoff."""
    took = Took()
    view = teachers(folder)
    with took.timed():
        known = training_set(view, view.tonnes.shape[1] - 1, SPEC)
    took.made(known.features)
    for values in blocks(folder):
        own = PanelView(values, 0, HORIZON)
        for at in range(0, len(values), CHUNK):
            with took.timed():
                found = own.at(values.shape[1] - 1, slice(at, at + CHUNK)).features
            took.made(found)
    return took


def plain_features(folder: Path) -> Took:
    """The same rows without what experts say: seasons, levels, spreads, lags, means and momentum.

    In their place stands the last month, which costs next to nothing.
    """
    with without_experts():
        return min((features(folder) for _ in range(ROUNDS)), key=lambda took: took.cpu)


@contextmanager
def without_experts() -> Iterator[None]:
    """Let every expert say the last month, drawn out."""
    kept = dict(EXPERTS)
    EXPERTS.update(dict.fromkeys(EXPERTS, cast(Expert, Last())))
    yield
    EXPERTS.update(kept)


class Last:
    """Repeats the last month, drawn out."""

    def ahead(self, values: Floats, _season: Floats, horizon: int) -> Floats:
        return np.repeat(np.nan_to_num(values[:, -1:]), horizon, axis=1)


def experts(folder: Path) -> Took:
    """What all experts say of every series, season included."""
    took = Took()
    for values in blocks(folder):
        with took.timed():
            season = season_profiles(values)
            result = [one.ahead(values, season, HORIZON) for one in EXPERTS.values()]
        took.made(np.stack(result, axis=2))
    return took


def train(folder: Path) -> Took:
    """Lessons, stack, trees, trial and bands."""
    took = Took()
    view = teachers(folder)
    assert training_series(len(view.tonnes), SPEC) is None  # noqa: S101 - all of them are trained on
    with took.timed():
        engine = train_engine(view, view.tonnes.shape[1] - 1, SPEC)
    took.made(engine.known.features)
    return took


def race(file: Path) -> Took:
    """Fit on all but the last months of a panel file and forecast those; writes the medians."""
    took = Took()
    table = read_panel(file).table
    known = table.shape[1] - HORIZON
    values = table.to_numpy(dtype=float)[:, :known]
    median = np.full((len(values), HORIZON), np.nan)
    with took.timed():
        engine = engine_at(values, last=known - 1, horizon=HORIZON, first=0, spec=EngineSpec())
        for predicted in engine.forecasts():
            median[predicted.rows] = predicted.tonnes[:, :, QUANTILES.index(0.5)]
    took.made(median)
    np.save(file.with_suffix(".median.npy"), median)
    return took


STEPS: dict[str, Callable[[Path], Took]] = {
    "features": features,
    "plain features": plain_features,
    "experts": experts,
    "train": train,
    "race": race,
}
HORIZON = int(sys.argv[3]) if len(sys.argv) > 3 else 12  # noqa: PLR2004 - the third word

if __name__ == "__main__":
    measured = STEPS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(asdict(measured)))

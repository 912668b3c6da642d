"""On PYTHONPATH: lets all that `magnetcast up` starts believe in the day of a home, as it moves."""

import os
from pathlib import Path

from tests.faults.nursery import move_clock

AHEAD = Path(os.environ["MAGNETCAST_FAULTS_AHEAD"])

move_clock(lambda: float(AHEAD.read_text()))

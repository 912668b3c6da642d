"""Builders of controls on materials."""

from collections.abc import Mapping

import pandas as pd

from tests.data.builders import make_events


def make_material_events(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one version of a control on a material per change, on gallium unless given."""
    return make_events(*({"material": "gallium", **change} for change in changes or ({},)))

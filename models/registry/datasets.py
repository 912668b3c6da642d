"""What a run was made from, as MLflow keeps a dataset: a panel, named by its digest."""

import json
from typing import Final

import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset
from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME

from store.publications.panels import StoredPanel

DIGEST: Final = 12
"""Characters of the panel's digest that name the dataset; its profile holds all."""

COLUMNS: Final = ["destination", "period", "tonnes", "kind"]


def panel_dataset(
    panel: StoredPanel, name: str, *, as_of: pd.Timestamp, data_vintage: str, source: str
) -> Dataset:
    """Return a panel as a dataset.

    Args:
        panel: What was known of past months.
        name: What a reader sees in the list of datasets.
        as_of: The moment at which it was known.
        data_vintage: Digest of the facts that it was made from.
        source: The command that writes the panel.
    """
    months = panel.months[COLUMNS]
    sha256 = panel.digest
    origin = CodeDatasetSource({MLFLOW_SOURCE_NAME: source})
    data = from_pandas(months, origin, targets="tonnes", name=name, digest=sha256[:DIGEST])
    profile = {
        "num_rows": len(months),
        "num_elements": months.size,
        "destinations": months["destination"].nunique(),
        "first": f"{months['period'].min():%Y-%m}",
        "last": f"{months['period'].max():%Y-%m}",
        "as_of": as_of.isoformat(),
        "data_vintage": data_vintage,
        "source": source,
        "sha256": sha256,
    }
    return Dataset(**{**data.to_dict(), "profile": json.dumps(profile)})

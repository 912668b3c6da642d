"""The script that MLflow stores beside a model and runs to serve it, where magnetcast is or is not.

A copy of ``models/quantile_model.py`` lies beside boosters and metadata and answers for features.
"""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ServedModel(PythonModel):
    """A stored model: moments in, the product's forecast out; or rows in, its own quantiles out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read boosters and metadata, and run the arithmetic beside them."""
        folder = Path(context.artifacts["model"])
        self.arithmetic = SimpleNamespace(**run_path(str(folder / "quantile_model.py")))
        files = {name: folder / name for name in self.arithmetic.FILES}
        texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
        self.boosters, self.metadata = self.arithmetic.parsed(texts)

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow passes it by name
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,  # noqa: ARG002 - MLflow passes it by name
    ) -> pd.DataFrame:
        """Names, quantiles and mean in tonnes.

        With a column ``as_of`` they are coherent and include the response to policies. Rows of
        features get the model's own distribution, before either.
        """
        if "as_of" in model_input and model_input["as_of"].notna().all():
            return self._forecast(model_input)
        names: pd.DataFrame = self.arithmetic.names_of(model_input)
        return names.join(
            self.arithmetic.predict_quantiles(self.boosters, self.metadata, model_input)
        )

    def _forecast(self, cells: pd.DataFrame) -> pd.DataFrame:
        try:
            from flows.training.served_forecast import served_forecast  # noqa: PLC0415 - may lack
        except ImportError as err:
            raise ValueError(
                "as_of needs magnetcast and its home where the model runs. Expected the features "
                "instead. Install it and set MAGNETCAST_HOME, or give `magnetcast.features(as_of)`."
            ) from err
        return served_forecast(self.boosters, self.metadata, cells)


set_model(ServedModel())

"""The script that MLflow runs to serve a Forecaster, where magnetcast is installed."""

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ServedForecaster(PythonModel):
    """A saved Forecaster: ``h``, a number of months, in; forecasts with bands of 80 and 95 out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the forecaster."""
        from flows.panels.frame_forecaster import Forecaster  # noqa: PLC0415 - may be missing

        self.forecaster = Forecaster.load(context.artifacts["forecaster"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow passes it by name
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,  # noqa: ARG002 - MLflow passes it by name
    ) -> pd.DataFrame:
        """Forecasts; beside ``h`` rows may have the future of further columns."""
        further = model_input.drop(columns="h")
        future = None if further.columns.empty else further
        return self.forecaster.predict(int(model_input["h"].max()), level=[80, 95], X_df=future)


set_model(ServedForecaster())

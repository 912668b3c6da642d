"""From a model frame to a forecast, and the record of how it was made.

Public: ``spec`` (what to train), ``rolling`` (fit and forecast at past origins), ``forecast`` (a trained model's
forecast), ``backtest`` and ``scores`` (how good it was), ``tracking`` and ``registry`` (MLflow), ``served`` (the script
MLflow stores). Private: ``frame``, ``boosting``, ``experts``, ``intervals``, ``reconcile``, ``explain``.
"""

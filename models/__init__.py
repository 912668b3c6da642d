"""From a model frame to a forecast, and the record of how it was made.

Public: ``spec`` (what to train), ``rolling`` (train, forecast, walk along past origins),
``explain`` (what moved a forecast), ``backtest``, ``scores`` and ``plots`` (how good it was),
``tracking`` and ``registry`` (MLflow), ``served`` (the script MLflow stores). Private: ``frame``,
``boosting``, ``experts``, ``intervals``, ``reconcile``.
"""

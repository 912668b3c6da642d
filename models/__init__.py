"""From a model frame to a forecast, and the record of how it was made.

Public: ``spec`` (what to train), ``rolling`` (train, forecast, walk along past origins),
``tree`` and ``reconcile`` (sums of any tree), ``explain``, ``why`` and ``change``
(what moved a forecast, why it is what it is, what changed it),
``backtest``, ``scores``, ``regimes``, ``compare`` and
``plots`` (how good it was, in which months, how surely better than another),
``tracking`` and ``registry`` (MLflow), ``served`` (the script MLflow stores). Private: ``frame``,
``boosting``, ``experts``, ``season``, ``smoothing``, ``theta``, ``intervals``, ``covariance``,
``projection``.
"""

"""Rolling-origin backtests, scores, comparisons, the promotion gate and tuning.

Not here: what a registered version is (``models.registry``).
"""

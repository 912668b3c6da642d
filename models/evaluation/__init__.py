"""Rolling-origin backtests, scores, comparisons and the promotion gate.

Not here: what a registered version is (``models.registry``).
"""

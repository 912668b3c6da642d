"""How good forecasts were: rolling-origin backtests, scores, comparisons.

Not here: choosing what publishes (``models.evaluation.promotion``).
"""

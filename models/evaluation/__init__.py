"""How good forecasts were: rolling-origin backtests, scores, comparisons, plots.

Not here: choosing what publishes (``models.evaluation.promotion``).
"""

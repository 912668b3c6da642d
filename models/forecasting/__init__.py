"""How a forecast is computed and explained: quantile models, ensemble, bands, fallback.

Here: the forecasters, what they are trained on, plausibility, decompositions in tonnes. Not here:
base forecasts (``features.statistical``) or the engine's internals (``models.engine``).
"""

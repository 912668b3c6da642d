"""How a forecast is made and why it is what it is: quantile models, ensemble, bands, fallback.

Here: the forecasters, what they are trained on, plausibility, decompositions in tonnes. Not here:
statistical experts (``features.statistical``) or the engine's internals (``models.engine``).
"""

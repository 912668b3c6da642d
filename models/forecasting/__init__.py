"""How a forecast is made: LightGBM heads, combination, intervals, fallback chain.

Here: the forecasters and what they are trained on. Not here: statistical experts
(``models.statistical``) or the panel engine's internals (``models.engine``).
"""

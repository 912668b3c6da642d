"""How a forecast is made and why it is what it is: heads, combination, intervals, fallback chain.

Here: the forecasters, what they are trained on, plausibility, decompositions in tonnes. Not here:
statistical experts (``features.statistical``) or the engine's internals (``models.engine``).
"""

"""What every recipe learns with, each once: choices, quantile heads, bands, weights.

Here: LightGBM training and weighted quantiles. Not here: which rows and features a recipe learns
from (``models.forecasting``, ``models.engine``).
"""

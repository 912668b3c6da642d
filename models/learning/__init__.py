"""What every recipe learns with, each once: quantile heads, conformal bands, combination weights.

Here: LightGBM training and weighted quantiles. Not here: which rows and features a recipe learns
from (``models.forecasting``, ``models.engine``).
"""

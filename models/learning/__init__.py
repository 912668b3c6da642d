"""What every recipe learns with, each once: choices, quantile heads, bands, weights.

Here: the training set, LightGBM training and calibration. Not here: how rows are got from past
origins (``models.forecasting``, ``models.engine``).
"""

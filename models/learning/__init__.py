"""What every model learns with: parameters, quantile models, bands, weights.

Here: the training set, LightGBM training and calibration. Not here: how rows are got from past
origins (``models.forecasting``, ``models.engine``).
"""

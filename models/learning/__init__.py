"""Learning of every model: parameters, quantile models, bands, weights.

Here: the training set, LightGBM training and calibration. Not here: features of past origins
(``models.forecasting``, ``models.engine``).
"""

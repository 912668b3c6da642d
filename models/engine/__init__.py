"""The panel engine: errors of the base forecasts, learned from past origins, with calibrated bands.

Here: training rows of past origins, the forecast and its validation window. Not here: features
(``features``), boosters and bands (``models.learning``), policies, files and the store.
"""

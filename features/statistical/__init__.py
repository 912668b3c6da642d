"""Statistical forecasts of all series at once: exponential smoothing, Theta, seasonality.

Here: base forecasts and their building blocks, vectorised. Not here: how they are combined.
"""

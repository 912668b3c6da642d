"""Statistical forecasts of all series at once: exponential smoothing, Theta, seasonality.

Here: experts and their building blocks, vectorised. Not here: how experts are combined.
"""

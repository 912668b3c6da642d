"""Panels from files or data frames: forecasts and backtests, in this process or on Dask.

Not here: publications.
"""

"""Panels from files: forecast, backtest and tuning, whole or in parts, here or on Dask.

Not here: anything that is published.
"""

"""Panels from files: forecast and backtest, whole or in parts, here or on Dask.

Not here: anything that is published.
"""

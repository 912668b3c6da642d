"""Coherent sums: non-negative MinT-type reconciliation over any tree.

Here: trees, covariances and the projection. Not here: the forecasts that are reconciled.
"""

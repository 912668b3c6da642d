"""The panel engine: experts, a quantile model of their common errors, and calibrated bands.

Here: features at an origin, training rows of past origins, the model and its validation window.
Not here: policies, files and the store.
"""

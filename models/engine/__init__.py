"""The panel engine: what the experts miss, learned from past origins, with calibrated bands.

Here: training rows of past origins, the forecast and its validation window. Not here: features
(``features``), heads and bands (``models.learning``), policies, files and the store.
"""

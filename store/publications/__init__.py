"""What was published: forecasts, scores, runs, and the digests that prove them unchanged.

Here: writing, reading and deciding on publications. Not here: how a forecast is computed.
"""

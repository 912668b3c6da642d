"""Why a forecast is what it is, and what changed it, in tonnes that add up.

Here: decompositions. Not here: sentences for planners (``service.queries.explain``).
"""

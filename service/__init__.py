"""The planners' pages and the API, made from published tables only.

Here: ``app`` puts it together. Not here: training, fetching, or any solve.
"""

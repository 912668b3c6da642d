"""Models by version and alias, and the record of runs; the only package that imports MLflow.

Here: tracking, stored models, promotion rules. Not here: training.
"""

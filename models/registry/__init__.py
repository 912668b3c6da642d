"""Models by version and alias, and the record of runs, in MLflow.

Here: tracking, stored models. Not here: training, promotion rules (``models.evaluation``).
"""

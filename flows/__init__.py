"""Jobs: Prefect flows over plain functions, the clock and the command line.

Here: the main job (``run``), deployments, and one package per purpose. Not here: how numbers are
computed or shown.
"""

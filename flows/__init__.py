"""When things run: Prefect flows over plain functions, the clock and the command line.

Here: the main job (``run``), deployments, and one package a purpose. Not here: how anything is
computed or shown.
"""

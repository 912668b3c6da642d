"""Checks of incoming rows before anything is stored; what fails goes to quarantine.

Here: checks of rows, series and units. Not here: the format of files (``sources.files``).
"""

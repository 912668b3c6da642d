"""Charts as SVG and PNG: fans, scenarios.

Not here: which numbers are shown (``publication.queries``).
"""

"""Charts as SVG and PNG: fans, scenarios, attributions.

Not here: which numbers are shown (``publication.queries``).
"""

"""From a snapshot of what was known to a publication, and the way to reproduce it.

Not here: the main job's order of steps (``flows.run``).
"""

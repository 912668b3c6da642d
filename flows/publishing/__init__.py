"""From what was known to a publication, what explains it, and the way to reproduce it.

Not here: the main job's order of steps (``flows.run``).
"""

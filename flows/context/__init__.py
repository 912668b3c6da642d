"""What all flows share: the open store, the workspace of an as_of, who acts, which code runs.

Not here: any single job.
"""

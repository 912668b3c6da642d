"""Questions to a publication, one function each; pages and API ask the same ones.

Not here: rendering.
"""

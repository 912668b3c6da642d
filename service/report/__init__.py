"""Reports and the sentences in them: content as plain values first, then text and pictures.

Not here: routes.
"""

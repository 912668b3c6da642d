"""The site over HTTP, and the answers that no file has: what-if and the stock question.

Here: ``app`` puts it together. Not here: pages of a publication (``publication``), training or
fetching.
"""

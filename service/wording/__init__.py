"""Names, numbers and chances in words.

Not here: whole sentences (``service.report``).
"""

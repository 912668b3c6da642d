"""Building blocks of responses, and who may ask and how often.

Not here: tokens as rows (``store.planning``), templates (``service.web.render``).
"""

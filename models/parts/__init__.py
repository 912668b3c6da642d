"""A panel in parts: forecast and scored part by part, with the same bits as all at once.

Here: what each part contributes and what is learned from all. Not here: the files of the parts and
the workers that take them (``flows.panels``).
"""

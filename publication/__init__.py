"""What a publication is to its readers: a folder of pages, charts, tables and feeds.

Here: the folder of a publication and the site of the newest ones, in five languages. Not here: what
answers a question (``service``), and how a forecast is computed (``models``).
"""

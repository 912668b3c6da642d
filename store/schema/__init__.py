"""What a row is: the tables, their column types, and the schemas of frames that cross a boundary.

Here: definitions. Not here: statements that read or write rows.
"""

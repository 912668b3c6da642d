"""The command line: one verb a function, results to stdout or a file, messages to stderr.

Here: arguments and output. Not here: what a verb does.
"""

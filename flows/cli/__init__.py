"""The command line: one function per verb; results go to stdout or a file, messages to stderr.

Here: arguments and output. Not here: the work of a verb.
"""

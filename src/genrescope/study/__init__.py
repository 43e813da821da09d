"""A study: every model, every pairing of source and target, explained and reported.

This is the only room that knows the order of the steps.
"""

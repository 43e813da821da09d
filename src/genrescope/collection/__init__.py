"""Trained models at work on people's own music: predicted, explained and checked, file by file.

A stopped run goes on, and one bad file never stops the rest.
"""

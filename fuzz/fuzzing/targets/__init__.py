"""A module for each target, which defines `TARGET`."""

"""The page of `genrescope shift`: what a drop is made of, and what helps against it."""

from pathlib import Path


def write_shift_page(folder: Path) -> Path:
    return folder / "shift.html"

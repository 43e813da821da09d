"""How far an answer can be trusted: the genres it may be, and whether it is like anything known."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """What a bundle's calibration says beside an answer.

    Attributes
    ----------
    genres : tuple of str
        The prediction set: with the stated coverage the true genre is among them. In display
        order, never empty.
    coverage : float
        Share of recordings, in (0, 1), whose genre such sets hold, as long as they come from
        where the training recordings came from.
    unusual : float
        Share, in [0, 1], of the recordings kept aside at training that lie nearer to the training
        clips than this one.
    unlike : bool
        Whether it lies so far from the training clips that it is unlike anything among them.
    enough : bool
        Whether recordings enough were kept aside to state the coverage; where not, the set holds
        every genre.
    """

    genres: tuple[str, ...]
    coverage: float
    unusual: float
    unlike: bool
    enough: bool = True

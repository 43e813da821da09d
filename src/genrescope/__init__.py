"""Which genre is this, why, and does the answer survive another musical culture?

genrescope trains interpretable and deep models on corpora from several musical cultures, tests
every pairing of source and target, and explains the decisions. The rooms of the package, in the
order data flows through them, are `audio`, `corpora`, `features`, `models`, `evaluation`,
`explanations`, `report` and `study`.
"""

from importlib.metadata import version

__version__ = version("genrescope")

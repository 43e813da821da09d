"""Published faults of GTZAN among the clips of a corpus."""

from collections.abc import Sequence

import pandas as pd

from genrescope.corpora import gtzan_facts
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.findings import Row, finding

FAULT_COLUMNS = ("corpus", "excerpt", "kind", "fault", "used")
MEANINGS = {
    "repetition": "Sturm lists them as repetitions of others that are here too",
    "filtered": "the fault-filtered partition leaves them out",
}


def known_faults(corpora: Sequence[Corpus]) -> pd.DataFrame:
    """Excerpts of GTZAN with published faults that corpora use or have left out.

    Parameters
    ----------
    corpora : sequence of Corpus
        Copies of GTZAN; names of files are taken for names of its excerpts.

    Returns
    -------
    pandas.DataFrame
        `corpus`, `excerpt`, `kind` (``damage``, ``repetition`` of another excerpt that is there
        too, or ``filtered``: left out by the fault-filtered partition), `fault` in words, `used`.
    """
    rows = []
    for corpus in corpora:
        used = _excerpts(corpus.clips["path"])
        left_out = set(_excerpts(corpus.failures["path"])) - set(used)
        tracks: dict[str, list[str]] = {}
        for excerpt in used:
            tracks.setdefault(gtzan_facts.track_of(excerpt), []).append(excerpt)
        for excerpt in sorted({*used, *left_out}):
            faults = []
            if damage := gtzan_facts.fault_of(excerpt):
                faults.append(("damage", damage[1]))
            same = [one for one in tracks.get(gtzan_facts.track_of(excerpt), ()) if one != excerpt]
            if same and excerpt in used:
                faults.append(("repetition", f"repeats {', '.join(same)} by Sturm's list"))
            if gtzan_facts.filtered_part(excerpt) == "removed":
                faults.append(("filtered", "is left out by the fault-filtered partition"))
            rows += [(corpus.name, excerpt, *fault, excerpt in used) for fault in faults]
    types = {"corpus": "str", "excerpt": "str", "kind": "str", "fault": "str", "used": "bool"}
    return pd.DataFrame(rows, columns=list(FAULT_COLUMNS)).astype(types)


def _excerpts(paths: "pd.Series[str]") -> dict[str, None]:
    """Names of excerpts, each once, in order."""
    names = (str(path).rsplit("/", 1)[-1] for path in paths.dropna())
    found = (gtzan_facts.excerpt_of(name) for name in names)
    return {excerpt: None for excerpt in found if excerpt}


def fault_findings(faults: pd.DataFrame) -> list[Row]:
    """A row per corpus and kind of fault, for the excerpts that are in use."""
    rows = []
    for (corpus, kind), same in faults[faults["used"]].groupby(["corpus", "kind"], sort=False):
        names = sorted(set(same["excerpt"]))
        if kind == "damage":
            for excerpt, fault in zip(same["excerpt"], same["fault"], strict=True):
                sentence = f"{excerpt} of {corpus} {fault}"
                rows.append(finding("known-fault", str(corpus), sentence, value=1))
            continue
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        what = f"{len(names)} excerpts" if len(names) != 1 else "1 excerpt"
        sentence = f"{what} of {corpus}: {MEANINGS[str(kind)]} ({shown})"
        rows.append(finding("known-fault", str(corpus), sentence, value=len(names)))
    return rows

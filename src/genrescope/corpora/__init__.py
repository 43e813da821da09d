"""Where clips come from: one module per format, each returning the same `Corpus` table.

`index_corpus` is the way in. `FORMATS` names the function that indexes each format as
``"module:function"``; a new format is one module and one line here.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrescope.corpora.corpus import Corpus, regroup
    from genrescope.corpora.index import index_corpus
    from genrescope.corpora.split import split_clips

__all__ = ["FORMATS", "Corpus", "index_corpus", "regroup", "split_clips"]

FORMATS: dict[str, str] = {
    "gtzan": "genrescope.corpora.gtzan:index_gtzan",
    "korean-loops": "genrescope.corpora.korean_loops:index_korean_loops",
    "folder": "genrescope.corpora.folder:index_folder",
    "feature-table": "genrescope.corpora.feature_table:index_feature_table",
    "synthetic": "genrescope.corpora.synthetic:index_synthetic",
}

_HOMES = {
    "Corpus": "corpus",
    "regroup": "corpus",
    "index_corpus": "index",
    "split_clips": "split",
}


def __getattr__(name: str) -> Any:
    # pandas takes half a second to import: only those who ask for a corpus pay for it.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

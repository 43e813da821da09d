"""What the web page says, in each language."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from genrescope.explanations.vocabulary import read_texts
from genrescope.explanations.words import languages

FOLDER = Path(__file__).with_name("languages")


@cache
def page_texts(language: str) -> Mapping[str, Any]:
    """Texts of the page in one language.

    Parameters
    ----------
    language : str
        One of `genrescope.explanations.words.languages`.

    Raises
    ------
    ConfigError
        Where there are no texts in the language, or its file lacks one.

    Examples
    --------
    >>> page_texts("ko")["why"]["title"]
    '이유'
    """
    return read_texts(FOLDER / f"{language}.yaml", model=FOLDER / "en.yaml")


def preferred_language(accepted: str) -> str:
    """The language of the page for a browser's `Accept-Language` header.

    Examples
    --------
    >>> preferred_language("fr-FR,fr;q=0.9,ko;q=0.8,en;q=0.5"), preferred_language("")
    ('ko', 'en')
    """
    weighted = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";q=")
        code = tag.strip().lower().split("-")[0]
        if code in languages():
            weighted.append((float(weight) if weight.replace(".", "", 1).isdigit() else 1.0, code))
    return max(weighted, key=lambda pair: pair[0])[1] if weighted else "en"

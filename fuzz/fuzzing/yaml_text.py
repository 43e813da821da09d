"""Changes to YAML: the value it stands for, or its text."""

import re
from random import Random

import yaml

from fuzzing.mutation import change_value, edit

TOKENS = (
    b"&a ", b"*a", b"<<: *a\n", b"!!python/object/apply:os.system ['true']", b"!!int ", b"!!float x",
    b"!!timestamp x", b"!!bool x", b"!!binary x", b"!!set {a, b}", b"!!omap [a: 1]", b"!!pairs [a: 1]",
    b"2001-99-99", b"0b", b"0x", b"1:60:99", b".nan", b"-.inf", b"? [a]\n: b\n", b"|\n x\n", b">-\n",
    b"{", b"}", b"[", b"]", b": ", b"- ", b"\t", b"---\n", b"...\n", b"%YAML 9.9\n---\n", b"#",
    b'"\\0"', b'"\\ud800"', b"'", b"9" * 5000, b"[" * 1500, b"- " * 1500, b"~", b"~nobody/x", b"$UNSET",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x85",
)  # fmt: skip
BOMB = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (c, c, *[c - 1] * 9)
    for c in range(ord("b"), ord("j"))
)


def change_yaml(content: bytes, rng: Random) -> bytes:
    """Change the value of YAML in a few places, or its text."""
    what = rng.random()
    if what < 0.3:
        return edit(content, rng, tokens=TOKENS)
    if what < 0.6:
        return _change_words(content, rng)
    try:
        value = yaml.safe_load(content)
        for _ in range(rng.choice((1, 1, 2, 4))):
            value = change_value(value, rng)
        made = yaml.safe_dump(value, sort_keys=False, allow_unicode=rng.random() < 0.5)
        return made.encode("utf-8", "surrogatepass")
    except (ValueError, yaml.YAMLError, RecursionError, AttributeError, LookupError, TypeError):
        return edit(content, rng, tokens=TOKENS)


def _change_words(content: bytes, rng: Random) -> bytes:
    """Put something else in the place of a word or a number, or before it."""
    words = list(re.finditer(rb"[\w./+-]+", content))
    for word in sorted(rng.sample(words, min(len(words), rng.choice((1, 1, 2)))), reverse=True,
                       key=lambda match: match.start()):  # fmt: skip
        kept = word[0] if rng.random() < 0.3 else b""
        content = content[: word.start()] + rng.choice(TOKENS) + kept + content[word.end() :]
    return content

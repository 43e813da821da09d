"""Ask bundles nobody trusts about a sound, with little memory and time; a JSON line for each.

Usage: attacked.py SOUND < a bundle's path on each line
"""

import contextlib
import io
import json
import resource
import signal
import sys

import torch  # noqa: F401 (what it maps is not what a bundle asks for)

import genrescope.cli.collections
import genrescope.report.answers  # noqa: F401
from genrescope.cli import main
from genrescope.errors import GenrescopeError
from genrescope.models import MODELS, model_class
from genrescope.models.predictor import Predictor

MEMORY = 2**30  # bytes beyond what the libraries take
SECONDS = 20  # of each bundle


def too_long(*_: object) -> None:
    raise TimeoutError(f"still busy after {SECONDS} s")


def from_python(bundle: str, sound: str) -> dict[str, object]:
    try:
        answer = Predictor.load(bundle).from_file(sound)
    except GenrescopeError as error:
        return {"error": type(error).__name__, "sentence": str(error)}
    except BaseException as error:  # noqa: BLE001 (what should not come is to be seen)
        return {"error": type(error).__name__, "sentence": repr(error)[:300]}
    return {"genre": answer.genre}


def from_terminal(bundle: str, sound: str) -> dict[str, object]:
    sys.argv = ["genrescope", "predict", bundle, sound]
    out, said, code = io.StringIO(), io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001
        return {"exit": repr(error)[:300]}
    return {"exit": code, "out": out.getvalue(), "said": said.getvalue()}


def run(sound: str) -> None:
    for kind in MODELS:
        model_class(kind)
    signal.signal(signal.SIGALRM, too_long)
    bundles = sys.stdin.read().splitlines()
    from_python(bundles.pop(0), sound)  # an honest one: the rest of the libraries is loaded
    taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    for bundle in bundles:
        signal.alarm(SECONDS)
        found = from_python(bundle, sound) | from_terminal(bundle, sound)
        signal.alarm(0)
        print(json.dumps({"bundle": bundle} | found), flush=True)


if __name__ == "__main__":
    run(sys.argv[1])

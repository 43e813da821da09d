"""The Containerfile against what it repeats: no engine is at hand to build it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lines(instruction: str) -> list[str]:
    text = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
    return [
        line.removeprefix(instruction).strip()
        for line in text.splitlines()
        if line.startswith(f"{instruction} ")
    ]


def test_it_installs_what_the_readme_says():
    (said,) = re.findall(r"`apt-get install ([^`]+)`", (ROOT / "README.md").read_text())
    (done,) = re.findall(r"apt-get install --yes ([a-z0-9 -]+?) &&", " ".join(lines("RUN")))
    assert done.split() == said.split()
    assert "Debian with Python 3.11" in " ".join((ROOT / "README.md").read_text().split())
    assert lines("FROM") == ["docker.io/library/debian:bookworm"]  # whose Python is 3.11


def test_every_make_target_and_every_copied_path_is_there():
    targets = re.findall(r"\bmake (\w+)$", lines("RUN")[-1])
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets == ["install"] and set(targets) <= set(known)
    for copied in lines("COPY"):
        *sources, _ = [part for part in shlex.split(copied) if not part.startswith("--")]
        assert sources and all((ROOT / source).exists() for source in sources)


def test_nobody_is_root_when_it_runs():
    (user,) = lines("USER")
    assert f"useradd --create-home {user}" in lines("RUN")
    text = (ROOT / "Containerfile").read_text()
    assert text.index("\nUSER ") < text.index("make install") < text.index("\nENTRYPOINT ")


def test_what_git_ignores_stays_out_of_it():
    def names(file: str) -> set[str]:
        kept = (line.strip() for line in (ROOT / file).read_text().splitlines())
        return {name.removeprefix("**/").strip("/") for name in kept if name and name[0] != "#"}

    assert names(".dockerignore") == names(".gitignore") | {".git"}


def test_its_entry_point_is_a_command_with_these_options():
    (entry,) = lines("ENTRYPOINT")
    program, command, *options = json.loads(entry)
    assert program == ".venv/bin/genrescope"
    shown = subprocess.run(
        [sys.executable, "-m", "genrescope", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in options[::2]:
        assert f"{option} " in shown
    assert dict(zip(options[::2], options[1::2], strict=True)) == {
        "--host": "0.0.0.0",
        "--port": lines("EXPOSE")[0],
    }
    assert lines("VOLUME") == ["/bundles"]

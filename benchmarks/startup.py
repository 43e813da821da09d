"""How long `import genrescope` and `genrescope --help` take, warm: medians of wall time.

python benchmarks/startup.py [--runs 15]
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import describe_machine

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import genrescope": [sys.executable, "-c", "import genrescope"],
    "genrescope --help": [str(Path(sys.executable).with_name("genrescope")), "--help"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    print(describe_machine("typer"))
    for name, command in COMMANDS.items():
        seconds(command)
        taken = [seconds(command) for _ in range(runs)]
        print(f"{name:<20} {statistics.median(taken):.3f} s [{min(taken):.3f}, {max(taken):.3f}]")


if __name__ == "__main__":
    main()

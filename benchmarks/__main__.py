"""Run all benchmarks, one after the other: `python -m benchmarks` (`make bench`).

It runs every module here that has a `main`, except those that take long or need input files. Each
runs in its own process, so that none warms up or slows down another.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOT_HERE = {"__init__", "__main__", "trainings", "soak", "stress", "travel", "parts", "memory"}
NOT_HERE |= {"table1", "gaps", "method_costs", "method_sheet", "large_generators"}
NOT_HERE |= {"ablation", "adversaries", "generator_training", "gpu", "roofline"}


def main() -> int:
    """Run them and return the worst exit status."""
    worst = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in NOT_HERE:
            print(f"\n== {path.stem}", flush=True)
            command = [sys.executable, "-m", f"benchmarks.{path.stem}"]
            worst = max(worst, subprocess.run(command, check=False).returncode)  # noqa: S603
    return worst


if __name__ == "__main__":
    sys.exit(main())

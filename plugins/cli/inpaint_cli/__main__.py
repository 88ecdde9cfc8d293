"""`python -m inpaint_cli` runs the command without an installation."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m inpaint_server` runs the daemon without an installed command."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

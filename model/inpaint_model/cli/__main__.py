"""`python -m inpaint_model.cli` is `inpaint-model`."""

import sys

from inpaint_model.cli.main import main

sys.exit(main())

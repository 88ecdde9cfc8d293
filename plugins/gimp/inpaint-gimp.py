#!/usr/bin/env python3
"""Entry point for GIMP; the plug-in is the package next to this file."""

import sys

from inpaint_gimp.plugin import main

main(sys.argv)

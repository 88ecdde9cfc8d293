#!/usr/bin/env python3
"""GIMP starts this file; everything is in the package beside it."""

import sys

from inpaint_gimp.plugin import main

main(sys.argv)

"""The one place that chooses between PyQt5 and PyQt6.

Krita loads the binding that fits it before it loads plug-ins, and refuses the other one: so the
one that is already there is the right one. Without a host (tests) it is whichever is installed.
Enums are written with their scope (`Qt.ItemDataRole.UserRole`), which both understand.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PyQt6 import QtCore, QtGui, QtWidgets
    from PyQt6.QtGui import QAction
elif "PyQt5.QtCore" in sys.modules or find_spec("PyQt6") is None:
    from PyQt5 import QtCore, QtGui, QtWidgets
    from PyQt5.QtWidgets import QAction
else:
    from PyQt6 import QtCore, QtGui, QtWidgets
    from PyQt6.QtGui import QAction

Qt = QtCore.Qt

__all__ = ["QAction", "Qt", "QtCore", "QtGui", "QtWidgets"]

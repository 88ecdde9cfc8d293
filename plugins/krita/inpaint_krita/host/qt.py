"""Choose between PyQt5 and PyQt6.

Krita loads the matching binding before it loads plug-ins and rejects the other one, so a binding
that is already loaded is the right one. Without Krita (in tests), use the one that is installed.
Enums are written with their scope (`Qt.ItemDataRole.UserRole`), which both bindings accept.
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

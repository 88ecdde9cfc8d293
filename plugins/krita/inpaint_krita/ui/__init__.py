"""The user interface.

Widgets draw a `State` and emit the artist's actions as signals. They know neither Krita nor the
daemon, so they can run, and be tested, without either. Only `docker` knows Krita: it puts the panel
into Krita's window.
"""

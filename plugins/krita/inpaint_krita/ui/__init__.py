"""What the artist sees.

Widgets draw a `State` and emit intents; they know neither Krita nor the daemon, so they run, and
are photographed, without either. `docker` alone knows Krita: it puts the panel into its window.
"""

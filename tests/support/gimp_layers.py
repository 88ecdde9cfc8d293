"""What a saved layer remembers of its fill, read as the plug-in reads it."""

from __future__ import annotations

from inpaint_client.session.history import Result
from inpaint_gimp.host.parasites import read
from xcf import Layer


def result_of(layer: Layer) -> Result:
    """Return the layer's fill."""
    run = read(layer.parasites.get)
    assert run is not None, layer.name
    return run.results[0]

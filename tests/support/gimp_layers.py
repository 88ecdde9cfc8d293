"""Read the fill's metadata of a saved layer with the plug-in's own code."""

from __future__ import annotations

from inpaint_client.session.history import Result
from inpaint_gimp.host.parasites import read
from xcf import Layer


def result_of(layer: Layer) -> Result:
    """Return the layer's fill."""
    run = read(layer.parasites.get)
    assert run is not None, layer.name
    return run.results[0]

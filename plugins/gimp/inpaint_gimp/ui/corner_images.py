"""Thumbnails of the candidates that can be in the corners of the mixer pad."""

from __future__ import annotations

from collections.abc import Callable

from inpaint_client import InpaintError

from ..app.presenter import Presenter
from ..runs.layers import Rendering, layer_name
from ..runs.mixing import Other
from .gtk import GdkPixbuf
from .mixer_pad import Candidate
from .preview import Preview, thumbnail
from .widgets import THUMBNAIL_SIZE


class CornerImages:
    """The chosen candidate as it was before mixing, other candidates, and fills in the image."""

    def __init__(
        self,
        presenter: Presenter,
        small: Callable[[Rendering], GdkPixbuf.Pixbuf],
        preview: Callable[[], Preview],
    ) -> None:
        """Create it.

        Args:
            presenter: has the candidates.
            small: returns the thumbnail of a rendering.
            preview: returns the view of the image around the hole.
        """
        self._presenter = presenter
        self._small = small
        self._preview = preview
        self._unmixed: dict[int, GdkPixbuf.Pixbuf] = {}
        self._layers: dict[int, GdkPixbuf.Pixbuf | None] = {}

    def remember(self) -> None:
        """Keep the thumbnails of all candidates that are not mixed now."""
        for key, rendering in self._presenter.strip.keyed.items():
            if rendering.mixed is None:
                self._unmixed[key] = self._small(rendering)

    def forget_layers(self) -> None:
        """Forget the layers, which may have changed."""
        self._layers.clear()

    def own(self) -> Candidate:
        """Return the chosen candidate; one that was reopened mixed has no thumbnail."""
        slot = self._presenter.strip.chosen_slot
        if slot is None:
            return Candidate(0, "", None)
        label = layer_name(slot.rendering._replace(mixed=None))
        return Candidate(slot.key, label, self._unmixed.get(slot.key))

    def of(self, other: Other) -> Candidate:
        """Return another candidate or fill."""
        rendering = self._presenter.strip.keyed.get(other.key)
        if rendering is not None:
            return Candidate(other.key, other.label, self._small(rendering))
        if other.key not in self._layers:
            self._layers[other.key] = self._seen(other.key)
        return Candidate(other.key, other.label, self._layers[other.key])

    def _seen(self, key: int) -> GdkPixbuf.Pixbuf | None:
        try:
            image = self._preview().with_picture(*self._presenter.sliders.look(key))
        except InpaintError:
            return None  # the layer is gone; its recipe is known
        return thumbnail(image, THUMBNAIL_SIZE)

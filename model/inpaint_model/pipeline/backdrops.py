"""Find a plain background around a hole, and what a fill shows in front of it.

MediaPipe's person network decides both, in an upright square view of the frame's surroundings. The
hole is filled smoothly for the first decision, so that its old content does not matter.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, maximum_filter
from torch import Tensor

from inpaint_model.document.arrays import BoolMask, FloatImage
from inpaint_model.document.backdrop import BACKGROUND, Backdrop, Matte
from inpaint_model.document.geometry import (
    compose,
    document_from_model,
    inverse,
    model_from_document,
)
from inpaint_model.document.harmonic_fill import harmonic_fill
from inpaint_model.document.model_view import extract_model_view
from inpaint_model.document.placement import Placement
from inpaint_model.document.resampling import resample
from inpaint_model.pipeline.assessing import face_mask
from inpaint_model.segmentation.guided_filter import guided_coefficients
from inpaint_model.segmentation.networks import person_probability
from inpaint_model.segmentation.person_network import SIDE

SCALE = 1.6  # side of the view over that of the frame, so that it contains most hair
_UNIT = SIDE / SCALE  # px of the view: side of the frame
_TOP = round((SIDE - _UNIT) / 2)  # first row inside the frame
_LEAST_BESIDE = 64  # px of the view: a hole that covers less beside the face needs no background
_NEAR = 24  # px of the view: how far from the hole the background is judged
_LEAST_NEAR = 256  # px of the view that must show it
_SMOOTH = 6.0  # standard deviation of a Gaussian, px of the view
_PLAIN = 0.03  # most standard deviation of the colors (0..1) of a plain background
_SURE = 0.1  # a probability that counts as 0
_PERSON = 0.5
_RADIUS, _EPSILON = 2, 1e-3  # of the guided filter, at half the view's resolution
_CROWN = 0.18  # height in which a head that reaches the frame's top is rounded, in its sides
_BESIDE = 4  # px of the view: nearer to the hole, a known pixel may be taken for a person
_CROWN_SOFT = 3.0  # width of its edge, px of the view


def find_backdrop(placement: Placement) -> Backdrop | None:
    """Return the plain background around a placement's hole, whose frame shows a face.

    None if the hole is inside the face, or the background is not plain or hardly known. The image's
    context does not count: a recipe, which must find the same, is opened without it.
    """
    image = replace(placement.image, context=None)
    frame = placement.frame._replace(side=SCALE * placement.frame.side)
    view = extract_model_view(image, placement.filled, frame, SIDE)
    hidden = view.hole > 0
    if np.count_nonzero(hidden & ~face_mask(SIDE, SCALE)) < _LEAST_BESIDE:
        return None
    known = torch.from_numpy(~hidden)
    colors = torch.from_numpy(view.erased).permute(2, 0, 1).float() / 255
    smooth = harmonic_fill(colors, known)
    person = _person(smooth.permute(1, 2, 0).contiguous().numpy())
    background = ~hidden & (person < BACKGROUND)
    if not _is_plain(colors, background, hidden):
        return None
    # Above, the hole is likely to show the background; below, what is beside it.
    wall = harmonic_fill(colors, torch.from_numpy(background))
    smooth[:, : SIDE // 2] = torch.where(known, colors, wall)[:, : SIDE // 2]
    return Backdrop(
        model_from_document(frame, SIDE),
        smooth.permute(1, 2, 0).contiguous().numpy(),
        wall.permute(1, 2, 0).contiguous().numpy(),
        hidden,
        np.where(hidden, 1, person).astype(np.float32),
    )


def matte_of(placement: Placement, output: FloatImage, matched: bool = True) -> Matte | None:
    """Return what an output [R, R, 3], nominally 0..1, shows in front of a plain background.

    With `matched` colors, an output in a monochrome document has its tint.
    """
    backdrop = placement.backdrop
    if backdrop is None:
        return None
    if matched and placement.tint is not None:
        output = placement.tint.applied(output)
    R = placement.resolution
    view_from_model = compose(backdrop.from_document, document_from_model(placement.frame, R))
    shown = resample(output.clip(0, 1), inverse(view_from_model), SIDE, SIDE)
    inside = np.zeros((SIDE, SIDE), np.bool_)
    inside[_TOP:-_TOP, _TOP:-_TOP] = True
    # On another shade of the wall around the head, the network would see a large head.
    even = shown + _shade(backdrop, shown, inside)
    hole = (inside & backdrop.hidden)[..., None]
    person = _with_crown(_person(np.where(hole, even, backdrop.image).clip(0, 1)), backdrop)
    guide, mask = (
        _halved(each) for each in (np.where(hole, shown, backdrop.image), person[..., None])
    )
    a, b = guided_coefficients(guide, mask[..., 0], _RADIUS, _EPSILON)
    return Matte(placement.region, backdrop.from_document, person, np.dstack([a, b]))


def _halved(image: FloatImage) -> FloatImage:
    """Return means over 2 x 2 px of an image [S, S, C], enough for the smooth coefficients."""
    rows = image[::2] + image[1::2]
    means: FloatImage = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return means


def _person(image: FloatImage) -> FloatImage:
    """Return the probability of a person, [S, S], in an image [S, S, 3] in 0..1.

    What is almost certain counts as certain, since a hundredth of another wall is visible.
    """
    probability = person_probability(image.astype(np.float32, copy=False))
    certain: FloatImage = ((probability - _SURE) / (1 - 2 * _SURE)).clip(0, 1)
    return certain


def _shade(backdrop: Backdrop, shown: FloatImage, inside: BoolMask) -> FloatImage:
    """Return how the background differs from what an output shows there, continued, [S, S, 3]."""
    background = inside & ~backdrop.hidden & (backdrop.person < BACKGROUND)
    difference = torch.from_numpy(backdrop.image - shown).permute(2, 0, 1).contiguous()
    continued = harmonic_fill(difference, torch.from_numpy(background))
    shade: FloatImage = continued.permute(1, 2, 0).contiguous().numpy()
    return shade


def _is_plain(colors: Tensor, background: BoolMask, hidden: BoolMask) -> bool:
    """Return whether enough background is known near the hole, and is hardly more than a shade."""
    image = colors.permute(1, 2, 0).numpy()
    near = background & maximum_filter(hidden, 2 * _NEAR + 1)
    if np.count_nonzero(near) < _LEAST_NEAR:
        return False
    weight = gaussian_filter(background.astype(np.float32), _SMOOTH) + 1e-6
    sums = gaussian_filter(image * background[..., None], (_SMOOTH, _SMOOTH, 0))
    rest = image - sums / weight[..., None]
    return float(rest[near].std()) < _PLAIN


def _with_crown(person: FloatImage, backdrop: Backdrop) -> FloatImage:
    """Round a head that reaches the frame's top, where the fill ends.

    It is left as it is where the person goes on above, in known pixels.
    """
    line = _TOP + round(_CROWN * _UNIT)
    head = np.flatnonzero(person[line] > _PERSON)
    top = backdrop.hidden[_TOP + 1] & (person[_TOP + 1] > _PERSON)
    if not top.any() or not len(head):
        return person
    first, last = int(head[0]), int(head[-1])
    apart = ~maximum_filter(backdrop.hidden, 2 * _BESIDE + 1)
    if (apart & (backdrop.person > _PERSON))[:line, first : last + 1].any():
        return person
    y, x = np.arange(line)[:, None], np.arange(SIDE)
    half = (last - first + 1) / 2
    height = ((line - y) / (line - _TOP - 1.0)).clip(0, 1)
    edge = half * np.sqrt(1 - height**2) - np.abs(x - (first + last) / 2)
    rounded = person.copy()
    rounded[:line] *= np.where(backdrop.hidden[:line], (edge / _CROWN_SOFT).clip(0, 1), 1)
    return rounded

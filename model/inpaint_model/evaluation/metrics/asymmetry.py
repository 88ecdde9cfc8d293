"""How lopsided faces are: each landmark of a face mesh against its partner on the other side.

A mesh [468, 3] holds x (to the right), y (down) and z (away) in any unit. Mirror it, swap left and
right landmarks, and lay it on itself by the best rotation and translation in 3D: what is left of a
perfectly symmetrical face, however it is turned, is 0. Distances are in units of the face's size,
the root mean square distance of its landmarks from their mean.

Meshes from images are not that good. A network's depth is a guess, and of a turned head it leaves
a residual that goes with the angle: in real portraits the two correlate with 0.87. So the part that
goes with the angle in real faces is taken out by linear regression.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics.mesh_pairs import MIRROR

MIN_FACES = 20  # real faces that the regression on three terms needs to mean anything


class Mirrored(NamedTuple):
    """Meshes beside their mirror images."""

    given: Float64Array  # [N, 468, 3] around their mean
    mirrored: Float64Array  # [N, 468, 3]: the mirror images, laid on `given`
    axes: Float64Array  # [N, 3, 3]: the columns are the face's own axes in the image
    turns: Float64Array  # [N, 2] radians: the head's yaw, and its roll in the image's plane


def mirror(meshes: Float64Array) -> Mirrored:
    """Mirror meshes [N, 468, 3], swap left and right, and lay them on themselves (Kabsch 1976)."""
    from scipy.spatial.transform import Rotation

    given = meshes - meshes.mean(axis=1, keepdims=True)
    mirrored = given[:, MIRROR] * (-1, 1, 1)
    u, _, vt = np.linalg.svd(np.einsum("npi,npj->nij", given, mirrored))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    rotation = Rotation.from_matrix(u @ vt)
    # A head that is turned by an angle is turned by twice that angle against its mirror image.
    half = Rotation.from_rotvec(rotation.as_rotvec() / 2)
    laid = np.einsum("nij,npj->npi", rotation.as_matrix(), mirrored)
    return Mirrored(given, laid, half.as_matrix(), half.as_rotvec()[:, 1:])


def mirror_residuals(faces: Mirrored) -> Float64Array:
    """From each mirrored landmark to the given one, [N, 468, 3].

    Along the face's own axes, in units of its size.
    """
    size = np.sqrt((faces.given**2).sum(axis=2).mean(axis=1))[:, None, None]
    along = np.einsum("nji,npj->npi", faces.axes, faces.given - faces.mirrored)
    residuals: Float64Array = along / size
    return residuals


class RealFaces:
    """What head pose does to the residuals of real faces, so that it can be taken out of others'.

    ValueError for fewer than 20 faces.
    """

    def __init__(self, meshes: Float64Array) -> None:
        """Fit to the meshes [N, 468, 3] of real faces."""
        if len(meshes) < MIN_FACES:
            raise ValueError(f"asymmetry is judged against at least {MIN_FACES} real faces")
        faces = mirror(meshes)
        residuals, terms = mirror_residuals(faces), _terms(faces.turns)
        inverse = np.linalg.pinv(terms)  # [3, N]
        self._slopes = np.einsum("tn,npi->tpi", inverse, residuals)
        # A face that takes part in the fit is flattered by it; leaving it out gives this factor.
        leverage = np.einsum("nt,tn->n", terms, inverse)
        self.own = self._of(residuals, terms) / (1 - leverage)
        """The asymmetry of the real faces themselves, each by a fit to the others, [N]."""

    def asymmetry(self, meshes: Float64Array) -> Float64Array:
        """The asymmetry of faces [M, 468, 3] at their pose, in units of the face's size, [M]."""
        faces = mirror(meshes)
        return self._of(mirror_residuals(faces), _terms(faces.turns))

    def _of(self, residuals: Float64Array, terms: Float64Array) -> Float64Array:
        rest = residuals - np.einsum("nt,tpi->npi", terms, self._slopes)
        rms: Float64Array = np.sqrt((rest**2).sum(axis=2).mean(axis=1))
        return rms


def _terms(turns: Float64Array) -> Float64Array:
    """Odd functions of the angles only: of a mirrored image both they and residuals turn over."""
    yaw, roll = turns.T
    return np.stack([yaw, yaw**3, roll], axis=1)

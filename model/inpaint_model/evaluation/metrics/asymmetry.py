"""Asymmetry of faces: the distance of each landmark to its mirrored partner.

A mesh [468, 3] holds x (to the right), y (down) and z (away) in any unit. Its mirror image is
aligned with it by the best rigid motion in 3D, so head pose leaves no residual. But networks only
guess depth; linear regression on real faces removes what then depends on pose
(docs/research/evaluation.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics.mesh_pairs import MIRROR

MIN_FACES = 20


class Mirrored(NamedTuple):
    """Meshes and their mirror images, each [N, 468, 3], aligned and around their mean."""

    given: Float64Array
    mirrored: Float64Array
    axes: Float64Array  # [N, 3, 3]: the columns are the face's own axes in the image
    turns: Float64Array  # [N, 2] radians: yaw, and roll in the image's plane


def mirror(meshes: Float64Array) -> Mirrored:
    """Mirror meshes [N, 468, 3], swap left and right landmarks, and align them (Kabsch 1976)."""
    from scipy.spatial.transform import Rotation

    given = meshes - meshes.mean(axis=1, keepdims=True)
    mirrored = given[:, MIRROR] * (-1, 1, 1)
    u, _, vt = np.linalg.svd(np.einsum("npi,npj->nij", given, mirrored))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    rotation = Rotation.from_matrix(u @ vt)
    # A head turned by an angle differs from its mirror image by twice that angle.
    half = Rotation.from_rotvec(rotation.as_rotvec() / 2)
    laid = np.einsum("nij,npj->npi", rotation.as_matrix(), mirrored)
    return Mirrored(given, laid, half.as_matrix(), half.as_rotvec()[:, 1:])


def mirror_residuals(faces: Mirrored) -> Float64Array:
    """Return the vectors from mirrored to given landmarks, in the face's own axes, [N, 468, 3].

    Their unit is the face's size, the RMS distance of its landmarks from their mean.
    """
    size = np.sqrt((faces.given**2).sum(axis=2).mean(axis=1))[:, None, None]
    along = np.einsum("nji,npj->npi", faces.axes, faces.given - faces.mirrored)
    residuals: Float64Array = along / size
    return residuals


class RealFaces:
    """The effect of head pose on the residuals of real faces, fitted to meshes [N, 468, 3].

    Raises:
        ValueError: there are fewer than 20, too few to fit three terms.
    """

    def __init__(self, meshes: Float64Array) -> None:
        if len(meshes) < MIN_FACES:
            raise ValueError(f"measuring asymmetry needs at least {MIN_FACES} real faces")
        faces = mirror(meshes)
        residuals, terms = mirror_residuals(faces), _terms(faces.turns)
        inverse = np.linalg.pinv(terms)  # [3, N]
        self._slopes = np.einsum("tn,npi->tpi", inverse, residuals)
        # Dividing by 1 - leverage is equivalent to fitting each face to the others only.
        leverage = np.einsum("nt,tn->n", terms, inverse)
        self.own = self._of(residuals, terms) / (1 - leverage)
        """Asymmetry of the real faces, [N]."""

    def asymmetry(self, meshes: Float64Array) -> Float64Array:
        """Return the asymmetry of faces [M, 468, 3] in units of their size, [M]."""
        faces = mirror(meshes)
        return self._of(mirror_residuals(faces), _terms(faces.turns))

    def _of(self, residuals: Float64Array, terms: Float64Array) -> Float64Array:
        rest = residuals - np.einsum("nt,tpi->npi", terms, self._slopes)
        rms: Float64Array = np.sqrt((rest**2).sum(axis=2).mean(axis=1))
        return rms


def _terms(turns: Float64Array) -> Float64Array:
    # Odd functions only: mirroring the image negates both them and the residuals.
    yaw, roll = turns.T
    return np.stack([yaw, yaw**3, roll], axis=1)

"""The cascadic solver against a direct one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaint_model.document.harmonic_fill import harmonic_fill
from scipy import sparse
from scipy.sparse import linalg


def solved_directly(values: np.ndarray, known: np.ndarray, reach: float | None) -> np.ndarray:
    """The five-point equations with mirrored edges, by a sparse LU factorisation."""
    rows, columns = known.shape
    matrix = sparse.lil_matrix((rows * columns, rows * columns))
    for y in range(rows):
        for x in range(columns):
            index = y * columns + x
            if known[y, x]:
                matrix[index, index] = 1
                continue
            matrix[index, index] += 4 + (0 if reach is None else 1 / reach**2)
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                ny, nx = min(max(y + dy, 0), rows - 1), min(max(x + dx, 0), columns - 1)
                matrix[index, ny * columns + nx] -= 1
    right = np.where(known, values, 0).ravel()
    return linalg.spsolve(matrix.tocsc(), right).reshape(rows, columns)


@pytest.mark.parametrize("reach", [None, 8.0])
def test_the_solution_is_close_to_the_direct_one(reach: float | None) -> None:
    y, x = np.mgrid[:61, :83]
    known = ((x - 40) / 34.0) ** 2 + ((y - 28) / 25.0) ** 2 > 1
    known[20:24, 30:50] = True
    values = np.sin(x / 15) + np.cos(y / 9) + 0.1 * np.random.default_rng(0).random((61, 83))
    reference = solved_directly(values, known, reach)
    spread = reference[~known].std()
    for sweeps, tolerance in ((2, 0.05), (16, 0.02), (500, 1e-6)):
        solution = harmonic_fill(
            torch.from_numpy(values[None]), torch.from_numpy(known), sweeps, reach
        )
        ours = solution[0].numpy()
        assert np.abs(ours - reference)[~known].mean() < tolerance * spread
        assert np.array_equal(ours[known], values[known])


def test_what_the_hole_held_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(3, 40, 50, generator=generator)
    known = torch.rand(40, 50, generator=generator) > 0.5
    other = torch.where(known, values, torch.tensor(float("nan")))
    assert torch.equal(harmonic_fill(values, known), harmonic_fill(other, known))


def test_a_constant_stays_constant_and_nothing_known_gives_zeros() -> None:
    known = torch.zeros(33, 70, dtype=torch.bool)
    values = torch.full((1, 33, 70), 0.25)
    assert torch.equal(harmonic_fill(values, known), torch.zeros(1, 33, 70))
    known[0, 69] = True
    assert torch.allclose(harmonic_fill(values, known), values)


def test_separate_holes_do_not_depend_on_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(3, 90, 260, generator=generator)
    holes = [torch.zeros(90, 260, dtype=torch.bool) for _ in range(3)]
    for hole, (left, width) in zip(holes, ((5, 30), (90, 60), (250, 10)), strict=True):
        hole[20:70, left : left + width] = True
    together = harmonic_fill(values, ~(holes[0] | holes[1] | holes[2]))
    for hole in holes:
        alone = harmonic_fill(values, ~hole)
        assert torch.equal(alone[:, hole], together[:, hole])


def test_many_specks_are_filled_together() -> None:
    known = torch.ones(400, 400, dtype=torch.bool)
    known[10::40, 10::40] = False
    values = torch.full((1, 400, 400), 0.25)
    assert torch.allclose(harmonic_fill(torch.where(known, values, 9.0), known), values)


def test_with_a_reach_a_fill_is_zero_far_from_what_is_not() -> None:
    known = torch.zeros(80, 600, dtype=torch.bool)
    known[40] = True
    values = torch.zeros(1, 80, 600)
    values[0, 40, :100] = 0.5
    filled = harmonic_fill(values, known, reach=3.0)
    assert filled[0, 39, 50] > 0.3
    assert not filled[..., 200:].any()
    near = harmonic_fill(values[..., :200], known[:, :200], reach=3.0)
    assert torch.allclose(filled[..., :120], near[..., :120], atol=2e-3)

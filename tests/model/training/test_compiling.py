"""Compiling, and continuing without it if that fails."""

from __future__ import annotations

import shutil

import pytest
import torch
from inpaint_model.training.compiling import compiled
from torch import Tensor


def polynomial(x: Tensor, shift: float) -> Tensor:
    return x.square() * 3 + x + shift


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_function_and_its_gradient_are_the_functions_own() -> None:
    fast = compiled(polynomial, torch.ones(4, requires_grad=True), 2.0)
    assert fast is not polynomial
    x = torch.linspace(-2, 2, 4, requires_grad=True)
    fast(x, 2.0).sum().backward()
    torch.testing.assert_close(fast(x, 2.0), polynomial(x, 2.0))
    torch.testing.assert_close(x.grad, 6 * x.detach() + 1)


def test_without_a_compiler_the_function_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler\nand a long trace")

    monkeypatch.setattr(torch, "compile", broken)
    assert compiled(polynomial, torch.ones(4, requires_grad=True), 2.0) is polynomial
    assert (
        capsys.readouterr().out == "torch.compile failed (no C++ compiler); continuing without it\n"
    )

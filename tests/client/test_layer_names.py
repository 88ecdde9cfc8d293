"""The names of layers: what tells them apart comes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.session import layer_names

SEEDS = st.integers(0, 2**32 - 1)


@given(number=st.integers(1, 64), seed=SEEDS, changes=st.text(max_size=20), copy=st.integers(0, 9))
def test_a_candidate_begins_with_its_number(
    number: int, seed: int, changes: str, copy: int
) -> None:
    first, *rest = layer_names.candidate(number, seed, changes, copy).split(" · ")
    assert first == str(number)
    assert f"seed {seed}" in rest
    assert (f"copy {copy}" == rest[0]) == (copy > 0)
    assert str(layer_names.candidate(number, seed, changes, copy)).endswith(changes)


@given(seed=SEEDS, model=st.sampled_from(["", "portrait", "a {strange} one"]))
def test_a_run_begins_with_its_seed(seed: int, model: str) -> None:
    assert layer_names.run(seed, model).startswith(f"Seed {seed} · Inpaint")
    assert layer_names.run(seed, model).endswith(model)


def test_examples() -> None:
    assert layer_names.candidate(1, 2230645291) == "1 · seed 2230645291"
    assert layer_names.candidate(2, 43, "Smile +1", 1) == "2 · copy 1 · seed 43 · Smile +1"
    assert layer_names.smooth(5) == "5 · smooth"
    assert layer_names.smooth(5, 1) == "5 · copy 1 · smooth"
    assert layer_names.more(8) == "Seed 8 · more"

"""Train a framer on scenes that are made as it goes."""

from __future__ import annotations

import copy
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from inpaint_model.framing.network import Framer, FramerConfig, Proposals
from inpaint_model.framing.scenes import Pictures, Scenes, draw_scenes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FramerTraining:
    """How long, how fast, and from what seed."""

    kimg: float = 200.0  # thousands of scenes
    batch_size: int = 32
    lr: float = 1.5e-3  # at the start; falls to 0 along a cosine
    seed: int = 0
    snapshot_kimg: float = 10.0  # how often the state is written
    ema_kimg: float = 5.0  # half-life of the averaged weights


class Losses:
    """Of one batch: where the frame is (relative to its own side), how large, how turned, and
    whether there is one."""

    def __init__(self, proposals: Proposals, scenes: Scenes) -> None:
        shows = scenes.present
        side = 2.0 ** scenes.log_side[shows]
        direction = torch.stack([scenes.angle.cos(), scenes.angle.sin()], dim=1)[shows]
        moved = (proposals.centre - scenes.centre)[shows].norm(dim=1) / (2 * side)
        self.centre = moved.clamp(max=1).mean()
        self.side = (proposals.log_side - scenes.log_side)[shows].abs().mean()
        self.angle = (proposals.direction[shows] - direction).norm(dim=1).mean()
        self.presence = F.binary_cross_entropy_with_logits(proposals.logit, shows.float())

    @property
    def total(self) -> Tensor:
        total: Tensor = 4 * self.centre + 1.5 * self.side + 2 * self.angle + self.presence
        return total


def train_framer(
    pictures: Tensor,
    config: FramerConfig,
    options: FramerTraining,
    folder: Path,
    on_snapshot: Callable[[Framer, float], None] | None = None,
) -> Framer:
    """Train, or continue a training in `folder`; the averaged framer.

    Args:
        pictures: uint8 [N, 3, P, P] in the generator's alignment, P a power of two, at least 64.
        config: what to train.
        options: how.
        folder: `state.safetensors` (everything that continuing needs) and `stats.jsonl`.
        on_snapshot: called with the averaged framer and the kimg seen after each snapshot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = Pictures(pictures)
    torch.manual_seed(options.seed)
    framer = Framer(config).train()
    average = copy.deepcopy(framer).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(framer.parameters(), lr=options.lr, weight_decay=1e-3)
    state = folder / "state.safetensors"
    seen = _load(state, framer, average, optimizer)
    total = round(options.kimg * 1000)
    due = seen + options.snapshot_kimg * 1000
    sums: dict[str, float] = {}
    steps, start = 0, time.monotonic()
    while seen < total:
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + seen)
        scenes = draw_scenes(source, options.batch_size, config.view, generator)
        losses = Losses(framer(scenes.views), scenes)
        for group in optimizer.param_groups:
            group["lr"] = options.lr * _schedule(seen / total, seen)
        optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(framer.parameters(), 1.0)
        optimizer.step()
        seen += options.batch_size
        _update_average(average, framer, options, seen)
        steps += 1
        for name, value in vars(losses).items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if seen >= min(due, total):
            due += options.snapshot_kimg * 1000
            _save(state, framer, average, optimizer, seen)
            record = {name: value / steps for name, value in sums.items()}
            record |= {"kimg": seen / 1000, "seconds": time.monotonic() - start}
            with (folder / "stats.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            log.info("%s", "  ".join(f"{name} {value:.4g}" for name, value in record.items()))
            sums, steps = {}, 0
            if on_snapshot is not None:
                on_snapshot(average, seen / 1000)
    return average


def _schedule(done: float, seen: int) -> float:
    warm = min(seen / 5000, 1.0)
    return warm * 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))


@torch.no_grad()
def _update_average(average: Framer, framer: Framer, options: FramerTraining, seen: int) -> None:
    half_life = min(options.ema_kimg * 1000, 0.1 * seen)
    weight = 1 - 0.5 ** (options.batch_size / half_life)
    for mean, value in zip(average.parameters(), framer.parameters(), strict=True):
        mean.lerp_(value, weight)


def _tensors(
    framer: Framer, average: Framer, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, Tensor]]:
    for prefix, module in (("framer", framer), ("average", average)):
        for name, value in module.state_dict().items():
            yield f"{prefix}/{name}", value
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            yield f"optimizer/{index}/{name}", torch.as_tensor(value)


def _save(
    path: Path, framer: Framer, average: Framer, optimizer: torch.optim.Optimizer, seen: int
) -> None:
    """All or nothing, so that an interrupted run can go on."""
    tensors = {name: value.contiguous() for name, value in _tensors(framer, average, optimizer)}
    about = {"seen": str(seen), "config": json.dumps(asdict(framer.config))}
    part = path.with_suffix(f".{os.getpid()}.part")
    save_file(tensors, part, about)
    part.replace(path)


def _load(path: Path, framer: Framer, average: Framer, optimizer: torch.optim.Optimizer) -> int:
    """Continue where a state was written; the number of scenes seen, 0 without one."""
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for prefix, module in (("framer/", framer), ("average/", average)):
        module.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/")
            states.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return int(about["seen"])

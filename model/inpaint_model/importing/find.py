"""Find the networks in a file: the generator to import, and its discriminator.

A generator is recognized by a tensor that only generators have, behind any prefix. Of several, the
averaged one is taken: the result of a training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType

from inpaint_model.importing import nvidia, rosinality
from inpaint_model.importing.contents import Contents, Entry
from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.network_layout import ESTIMATED_W_AVG, Networks, Tensors
from inpaint_model.networks.config import DiscriminatorConfig

KNOWN = (
    "supported are StyleGAN2 networks in the layouts of stylegan2-ada-pytorch (and stylegan3) and "
    "of rosinality's stylegan2-pytorch (and the pSp family) as pickle, .pt or safetensors, and "
    "bundles"
)
ALIAS_FREE = "holds a StyleGAN3 generator (alias-free); only StyleGAN2 can be used"
UNSAID = (
    "it is a state dict without settings of clamping and of the mapping network's learning rate; "
    "assumed the usual ones (no clamps, 0.01)"
)
MAX_NETWORKS = 100
MAX_CLASSES = 6

_AVERAGED = frozenset({"ema", "gs", "averaged", "running", "smoothed"})
_RAW = frozenset({"g", "gen", "generator", "netg", "net_g"})


def find_networks(contents: Contents) -> Networks:
    """Return the networks of a file, which must hold a usable generator."""
    layouts = {
        **dict.fromkeys(contents.prefixes(*nvidia.GENERATOR), nvidia),
        **dict.fromkeys(contents.prefixes(*rosinality.GENERATOR), rosinality),
    }
    critics = {
        **dict.fromkeys(contents.prefixes(*nvidia.DISCRIMINATOR), nvidia),
        **dict.fromkeys(contents.prefixes(*rosinality.DISCRIMINATOR), rosinality),
    }
    if len(layouts) + len(critics) > MAX_NETWORKS:
        raise CheckpointError(f"holds more than {MAX_NETWORKS} networks")
    if not layouts:
        raise _nothing(contents, bool(critics))
    try:
        return _networks(contents, layouts, critics)
    except CheckpointError as error:
        raise CheckpointError(str(error), _facts(contents, "StyleGAN2")) from None


def _networks(
    contents: Contents, layouts: Mapping[str, ModuleType], critics: Mapping[str, ModuleType]
) -> Networks:
    notes: list[str] = []
    prefix = _choice(contents, list(layouts), notes)
    prefixes = [*layouts, *critics]
    own = contents.within(prefix, prefixes)
    others = [p for p, layout in critics.items() if layout is layouts[prefix]]
    discriminator = min(others, key=_is_averaged, default=None)
    theirs = {} if discriminator is None else contents.within(discriminator, prefixes)
    if layouts[prefix] is nvidia:
        networks = _nvidia(contents, (prefix, own), (discriminator, theirs), notes)
        used = set()
    else:
        mean = _mean(contents, prefix)
        networks = _rosinality(contents, (prefix, own), (discriminator, theirs), mean, notes)
        used = {mean} if mean else set()
    used |= {prefix + name for name in own} | {f"{discriminator}{name}" for name in theirs}
    return networks._replace(ignored=(*contents.top_names(used), *_classes(contents)))


def _nothing(contents: Contents, has_discriminator: bool) -> CheckpointError:
    if contents.prefixes(*nvidia.STYLEGAN3) or any(
        f".{module.name}".endswith(".synthesis.input") for module in contents.modules
    ):
        return CheckpointError(ALIAS_FREE, _facts(contents, "StyleGAN3 (alias-free)"))
    if has_discriminator:
        return CheckpointError(
            f"holds a StyleGAN2 discriminator, but no generator; {KNOWN}",
            _facts(contents, "StyleGAN2 (a discriminator alone)"),
        )
    if not contents.tensors and "" in contents.others and contents.unknown:
        name = quoted(contents.others[""])
        return CheckpointError(
            f"names {name}, which is not on the list of what a checkpoint may hold; "
            "nothing of it was run"
        )
    return CheckpointError(f"holds no StyleGAN2 generator; {KNOWN}")


def _facts(contents: Contents, family: str) -> dict[str, str]:
    facts = {"family": family}
    for module in contents.modules:
        side, channels = (module.attributes.get(f"img_{x}") for x in ("resolution", "channels"))
        if type(side) is int and type(channels) is int and 0 < side < 2**16 > channels > 0:
            facts["images"] = f"{side} px, {channels} channels"
            break
    facts["holds"] = ", ".join(contents.top_names(set()))
    return facts


def _choice(contents: Contents, prefixes: Sequence[str], notes: list[str]) -> str:
    """Choose the generator to import, and note anything unusual about it."""
    averaged = [prefix for prefix in prefixes if _is_averaged(prefix)]
    among = averaged or prefixes
    chosen = among[0]
    if len(among) > 1 and _parent(chosen) in contents.rows:  # NVIDIA's (G, D, G_ema)
        chosen = among[-1]
        notes.append("its generators have no names; took the last one as the averaged one")
    elif len(among) > 1:
        notes.append(f"it holds {len(among)} generators; took {_shown(chosen)}")
    last = chosen.rstrip(".").rpartition(".")[2]
    if not averaged and last.lower() in _RAW:
        notes.append(f"it holds no averaged generator (G_ema); took {_shown(chosen)}")
    return chosen


def _nvidia(
    contents: Contents,
    generator: tuple[str, dict[str, Entry]],
    discriminator: tuple[str | None, dict[str, Entry]],
    notes: list[str],
) -> Networks:
    prefix, entries = generator
    G = nvidia.network(entries, contents.modules_within(prefix), generator=True)
    config = nvidia.read_generator(G)
    if not G.modules:
        notes.append(UNSAID)
    if not any(name.endswith("noise_strength") for name in G.tensors):
        notes.append("its layers have no noise")
    if "mapping.w_avg" not in G.tensors:
        notes.append(ESTIMATED_W_AVG)
    D: tuple[DiscriminatorConfig, Tensors] | None = None
    prefix_D, entries_D = discriminator
    if prefix_D is not None:
        found = nvidia.network(entries_D, contents.modules_within(prefix_D), generator=False)
        read = nvidia.read_discriminator(found)
        if isinstance(read, str):
            notes.append(f"left its discriminator out: {read}")
        else:
            D = read, found.tensors
    return Networks("nvidia", (config, G.tensors), D, tuple(notes), precision=nvidia.precision(G))


def _rosinality(
    contents: Contents,
    generator: tuple[str, dict[str, Entry]],
    discriminator: tuple[str | None, dict[str, Entry]],
    mean: str | None,
    notes: list[str],
) -> Networks:
    prefix, entries = generator
    w_avg = contents.tensors[mean].tensor if mean else None
    read = rosinality.read_generator(entries, w_avg, _behind(contents.others, prefix))
    notes += read.notes
    if "mapping.w_avg" not in read.tensors:
        notes.append(ESTIMATED_W_AVG)
    D = None
    prefix_D, entries_D = discriminator
    if prefix_D is not None:
        resolution = read.config.resolution
        others = _behind(contents.others, prefix_D)
        D = rosinality.read_discriminator(entries_D, resolution, others)
    name = "psp" if prefix.endswith("decoder.") else "rosinality"
    return Networks(name, (read.config, read.tensors), D, tuple(notes))


def _mean(contents: Contents, prefix: str) -> str | None:
    """Return the mean latent closest to a generator."""
    names = [name for name in contents.tensors if f".{name}".endswith(f".{rosinality.MEAN}")]
    return max(names, key=lambda name: _shared(name, prefix), default=None)


def _shared(name: str, prefix: str) -> int:
    """Count the leading parts that two names share."""
    count = 0
    for a, b in zip(name.split("."), prefix.split("."), strict=False):
        if a != b:
            break
        count += 1
    return count


def _behind(others: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): x for name, x in others.items() if name.startswith(prefix)}


def _is_averaged(prefix: str) -> bool:
    return not _AVERAGED.isdisjoint(re.split(r"[^a-z]+", prefix.lower()))


def _parent(prefix: str) -> str:
    return prefix.rstrip(".").rpartition(".")[0]


def _shown(prefix: str) -> str:
    return quoted(prefix.rstrip(".") or "the first one").strip("'")


def _classes(contents: Contents) -> list[str]:
    names = sorted(contents.unknown)
    if not names:
        return []
    more = ["..."] if len(names) > MAX_CLASSES else []
    shown = ", ".join([*(quoted(name).strip("'") for name in names[:MAX_CLASSES]), *more])
    return [f"values of {shown} (not run)"]

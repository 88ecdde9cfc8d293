"""`inpaint-model directions pca`: GANSpace."""

from __future__ import annotations

import argparse

from inpaint_model.commands.directions_options import add_layers, add_sampling, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=positive, default=8, help="directions (default 8)")
    add_layers(parser)
    add_sampling(parser, samples=50_000)


def run(args: argparse.Namespace) -> int:
    from inpaint_model.direction_store import add_directions
    from inpaint_model.editing.layers import parse_layers
    from inpaint_model.editing.samples import codes
    from inpaint_model.editing.unsupervised import pca
    from inpaint_model.editing.workbench import open_workbench

    bench = open_workbench(args.bundle, args.device)
    layers = parse_layers(args.layers, bench.generator.config.num_ws)
    w = codes(bench.generator, args.samples, args.seed, args.truncation).double().cpu().numpy()
    vectors, _ = pca(w, args.count)
    source = f"principal component of {args.samples} codes (GANSpace)"
    subjects = bench.subjects(args.seed + args.samples)
    found = [
        bench.finish(
            bench.draft(f"pca {args.layers} component {k}", "components", layers, source),
            vector,
            w,
            subjects,
        )
        for k, vector in enumerate(vectors)
    ]
    add_directions(bench.info.folder, found)
    print(f"{len(found)} components stored; look at them with `inpaint-model directions check`")
    return 0

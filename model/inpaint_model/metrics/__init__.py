"""What the evaluation measures; one file a metric, each a function of arrays or tensors.

Sets of pictures: `frechet`, `kernel`, `separability` (features in, numbers out). Pairs of pictures:
`fidelity`, `perceptual`. Candidates of one hole: `diversity`. The networks that turn pictures into
features are in `networks`.
"""

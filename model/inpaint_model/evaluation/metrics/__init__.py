"""What the evaluation measures; one file a metric, each a function of arrays or tensors.

Sets of pictures: `frechet`, `kernel`, `precision_recall`, `separability` (features in, numbers
out). Pairs of pictures: `fidelity`, `perceptual`, `seam`. Candidates of one hole: `diversity`.
Faces: `detection`, `asymmetry` (of landmarks, paired by `mesh_pairs`), `eyes`. The networks that
turn pictures into features are in `networks`.
"""

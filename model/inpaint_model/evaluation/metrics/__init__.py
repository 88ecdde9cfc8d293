"""What the evaluation measures; one file a metric, each a function of arrays or tensors.

Sets of pictures: `fid`, `kid`, `precision_recall`, `ids` (features in, numbers out). Pairs of
pictures: `psnr_ssim`, `vgg_distance`, `seam`. Candidates of one hole: `diversity`.
Faces: `detection`, `asymmetry` (of landmarks, paired by `mesh_pairs`), `eyes`. The networks that
turn pictures into features are in `feature_networks`.
"""

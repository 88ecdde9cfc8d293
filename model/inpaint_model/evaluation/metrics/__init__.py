"""The metrics, one module each.

Sets of images: `fid`, `kid`, `precision_recall`, `ids` (features in, numbers out). Pairs of
images: `psnr_ssim`, `vgg_distance`, `seam`. Candidates of one hole: `diversity`.
Faces: `detection`, `asymmetry` (of landmarks, paired by `mesh_pairs`), `eyes`. The networks that
compute features are in `feature_networks`.
"""

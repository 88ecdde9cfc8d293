"""The metrics, one module each.

Sets of images, by their features: `fid`, `kid`, `precision_recall`, `ids`. Pairs of images:
`psnr_ssim`, `vgg_distance`, `seam`. Candidates of one hole: `diversity`. Faces: `detection`,
`asymmetry`, `eyes`.
"""

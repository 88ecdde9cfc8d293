"""The metrics, one module each.

Sets of images: `fid`, `kid`, `precision_recall`, `ids`. Pairs: `psnr_ssim`, `vgg_distance`, `seam`.
Candidates of one hole: `diversity`. Faces: `detection`, `asymmetry`, `eyes`.
"""

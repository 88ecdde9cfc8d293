"""Indices of FaceMesh's points that outline parts of a face. "Left" is left in the image."""

from __future__ import annotations

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)  # fmt: skip
LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
# Where the lids meet the eyeball.
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
# Around the lids and lashes.
LEFT_LIDS = (130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247)
RIGHT_LIDS = (359, 255, 339, 254, 253, 252, 256, 341, 463, 414, 286, 258, 257, 259, 260, 467)
# Around the sockets, down to the cheekbones.
LEFT_SOCKET = (143, 111, 117, 118, 119, 120, 121, 128, 245, 193, 55, 65, 52, 53, 46, 156)
RIGHT_SOCKET = (372, 340, 346, 347, 348, 349, 350, 357, 465, 417, 285, 295, 282, 283, 276, 383)
GLASSES = (*LEFT_SOCKET, *RIGHT_SOCKET, 127, 234, 356, 454)  # with the temples

CHIN = 152
MOUTH_CORNERS = (61, 291)

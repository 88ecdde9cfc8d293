"""MediaPipe's FaceMesh (Kartynnik et al. 2019): the landmarks of one face, in a square crop."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad

SIDE = 192  # px of the input
POINTS = 468  # of the mesh
CONTOUR_POINTS = 133  # of the separate branch, which outlines face, eyes and lips


class Block(nn.Module):
    """A residual block, [N, I, h, w] -> [N, O, h, w], or half of h and w with `down`."""

    def __init__(self, in_channels: int, out_channels: int, *, down: bool = False) -> None:
        super().__init__()
        self.down, self.added_channels = down, out_channels - in_channels
        stride = 2 if down else 1
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, stride, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.activation = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        new = self.pointwise(self.depthwise(pad(x, _padding(self.down))))
        if self.down:
            x = pad(max_pool2d(x, 2), (0, 0, 0, 0, 0, self.added_channels))
        activated: Tensor = self.activation(x + new)
        return activated


class MeshNetwork(nn.Module):
    """RGB [N, 3, 192, 192] in -1..1 -> mesh, contours and confidence."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.activation = nn.PReLU(16)
        self.body = nn.Sequential(
            *(Block(16, 16) for _ in range(2)),
            Block(16, 32, down=True),
            *(Block(32, 32) for _ in range(2)),
            Block(32, 64, down=True),
            *(Block(64, 64) for _ in range(2)),
            Block(64, 128, down=True),
            *(Block(128, 128) for _ in range(2)),
            Block(128, 128, down=True),
            *(Block(128, 128) for _ in range(2)),
        )
        self.mesh = _head(2, 3 * POINTS)
        self.contours = _head(2, 2 * CONTOUR_POINTS)
        self.confidence = _head(0, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mesh [N, 468, 3] (x, y, depth), contours [N, 133, 2] and confidence [N].

        Coordinates are in px of the input. The confidence that there is a face is in 0..1.
        """
        x = self.activation(self.stem(pad((x + 1) / 2, _padding(down=True))))
        x = self.body(x)
        mesh, contours = self.mesh(x).reshape(len(x), POINTS, 3), self.contours(x)
        confidence = self.confidence(x).sigmoid().reshape(len(x))
        return mesh, contours.reshape(len(x), CONTOUR_POINTS, 2), confidence


def _head(blocks: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        Block(128, 128, down=True),
        *(Block(128, 128) for _ in range(blocks)),
        nn.Conv2d(128, 32, 1),
        nn.PReLU(32),
        Block(32, 32),
        nn.Conv2d(32, outputs, 3),
    )


def _padding(down: bool) -> tuple[int, int, int, int]:
    """Left, right, top, bottom."""
    return (0, 1, 0, 1) if down else (1, 1, 1, 1)

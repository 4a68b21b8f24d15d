"""A 3D U-Net small enough to be trained within a test, and its training."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
import torch

from tests.bodies import SPACING_MM, a_body, grid, inside, moved, scan_of

SOURCE = """\
import torch
from torch import nn


def block(inward, outward):
    return nn.Sequential(
        nn.Conv3d(inward, outward, 3, padding=1), nn.BatchNorm3d(outward), nn.LeakyReLU(0.1),
        nn.Conv3d(outward, outward, 3, padding=1), nn.BatchNorm3d(outward), nn.LeakyReLU(0.1),
    )


class UNet(nn.Module):
    def __init__(self, classes=3, width=8):
        super().__init__()
        self.down1, self.down2 = block(1, width), block(width, 2 * width)
        self.down3 = block(2 * width, 4 * width)
        self.bottom = block(4 * width, 4 * width)
        self.up3, self.up2 = block(8 * width, 2 * width), block(4 * width, width)
        self.up1 = block(2 * width, width)
        self.last = nn.Conv3d(width, classes, 1)
        self.pool = nn.MaxPool3d(2)
        self.grow = nn.Upsample(scale_factor=2, mode="trilinear", align_corners=False)

    def forward(self, x):
        one = self.down1(x)
        two = self.down2(self.pool(one))
        three = self.down3(self.pool(two))
        low = self.bottom(self.pool(three))
        three = self.up3(torch.cat([three, self.grow(low)], 1))
        two = self.up2(torch.cat([two, self.grow(three)], 1))
        return self.last(self.up1(torch.cat([one, self.grow(two)], 1)))
"""

STEPS = 200
BATCH = 2
"""Two at a time take torch's faster convolutions."""

RATE = 8e-3
CLIP_HU = (-200.0, 300.0)


@functools.cache
def trained() -> tuple[dict[str, torch.Tensor], float]:
    """Weights after `STEPS`, and the seconds of computing that they took, on one thread."""
    space: dict[str, Any] = {}
    exec(SOURCE, space)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    # Several threads wait for each other more than they compute on so small a volume.
    torch.set_num_threads(1)
    net = space["UNet"]()
    optimizer = torch.optim.Adam(net.parameters())
    random = np.random.default_rng(17)
    began = time.thread_time()
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - 0.95 * step / STEPS)
        images, shares = zip(*(example(random) for _ in range(BATCH)), strict=True)
        loss = loss_of(net(torch.cat(images)), torch.cat(shares))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return net.state_dict(), time.thread_time() - began


def example(random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A scan as the manifest prepares it, and each class's share of each voxel."""
    body = a_body(random)
    x, y, z = random.uniform(-6, 6, 3)
    geometry = moved(grid((SPACING_MM, SPACING_MM, SPACING_MM)), (float(x), float(y), float(z)))
    image = scan_of(body, geometry, random, edge_mm=random.uniform(2, 8)).astype(np.float32)
    image = (np.clip(image, *CLIP_HU) - CLIP_HU[0]) / (CLIP_HU[1] - CLIP_HU[0])
    shares = np.stack([inside(organ, geometry, SPACING_MM) for organ in body.organs])
    shares = np.concatenate([np.clip(1 - shares.sum(axis=0, keepdims=True), 0, 1), shares])
    return torch.from_numpy(image)[None, None], torch.from_numpy(shares)[None]


def loss_of(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross entropy and one minus the mean Dice, both of shares: the truth says where within a voxel."""
    shares = logits.softmax(1)
    apart = (shares - truth).abs().sum((2, 3, 4))[:, 1:]
    total = (shares + truth).sum((2, 3, 4))[:, 1:]
    return 0.5 * torch.nn.functional.cross_entropy(logits, truth) + 0.5 * (apart / (total + 1)).mean()

"""ResNet-9: the small residual network of David Page's "How to Train Your ResNet" (2018).

Eight 3 x 3 convolutions in three stages, with a residual branch in the first and the last, and a
linear layer whose logits are multiplied by 0.125. Pooling stands before BatchNorm, as in Jordan's
airbench (2024, arXiv 2404.00498): on a CPU, BatchNorm and ReLU cost as much as the convolutions,
and so they see a quarter of the pixels.
"""

from torch import Tensor, nn

from optbench.models.pooling import MaxPool2x2

MINIMUM_SIDES = (8, 8)  # halved three times
HEADS = ("head",)  # its last layer
LOGIT_SCALE = 0.125  # as Page: keeps the softmax soft early in training


class ResNet9(nn.Module):
    """Maps images [n, channels, *sides] to logits [n, classes]."""

    def __init__(self, channels: int, classes: int, sides: tuple[int, int], width: int) -> None:
        """Channels grow from `width` to 8 x `width` while sides shrink to an eighth."""
        super().__init__()
        self.stem = conv(channels, width)
        self.stage1 = nn.Sequential(conv_pool(width, 2 * width), Residual(2 * width))
        self.stage2 = conv_pool(2 * width, 4 * width)
        self.stage3 = nn.Sequential(conv_pool(4 * width, 8 * width), Residual(8 * width))
        height, breadth = (side // 8 for side in sides)
        self.pool = nn.MaxPool2d((height, breadth))
        self.head = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape [n, classes]."""
        features = self.stage3(self.stage2(self.stage1(self.stem(images))))
        logits: Tensor = self.head(self.pool(features).flatten(1)) * LOGIT_SCALE
        return logits


class Residual(nn.Module):
    """Adds two convolutions' output to their input."""

    def __init__(self, channels: int) -> None:
        """Keeps the number of channels and the side."""
        super().__init__()
        self.branch = nn.Sequential(conv(channels, channels), conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the input's shape."""
        total: Tensor = x + self.branch(x)
        return total


def conv(channels_in: int, channels_out: int) -> nn.Sequential:
    """3 x 3 convolution, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def conv_pool(channels_in: int, channels_out: int) -> nn.Sequential:
    """3 x 3 convolution, 2 x 2 max-pooling, BatchNorm, ReLU: halves the side."""
    layers = conv(channels_in, channels_out)
    layers.insert(1, MaxPool2x2())
    return layers


def build(*, channels: int, classes: int, sides: tuple[int, int], width: int = 64) -> nn.Module:
    """A ResNet-9 for images of 8 x 8 pixels and more."""
    return ResNet9(channels, classes, sides, width)

"""A small convolutional network for small images: two convolutions, pooling, a linear layer."""

from torch import nn

MINIMUM_SIDES = (2, 2)  # pooling halves them
HEADS = ("8",)  # its last layer


def build(*, channels: int, classes: int, sides: tuple[int, int], width: int = 16) -> nn.Module:
    """Maps images [n, channels, *sides] to logits [n, classes]; odd sides lose their last pixel."""
    height, breadth = (side // 2 for side in sides)
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * height * breadth, classes),
    )

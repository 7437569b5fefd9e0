"""A small convolutional network for images of 8 x 8 pixels: two convolutions, a linear layer."""

from torch import nn


def build(*, channels: int, classes: int, width: int = 16) -> nn.Module:
    """Maps images [n, channels, 8, 8] to logits [n, classes]."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * 16, classes),
    )

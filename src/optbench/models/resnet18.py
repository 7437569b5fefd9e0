"""ResNet-18 (He et al. 2016, arXiv 1512.03385), torchvision's, with a stem for small images."""

from torch import nn
from torchvision.models import resnet18

MINIMUM_SIDES = (8, 8)  # halved three times
HEADS = ("fc",)  # its last layer


def build(*, channels: int, classes: int) -> nn.Module:
    """Maps images [n, channels, height, width] to logits [n, classes].

    The 7 x 7 stride-2 stem becomes 3 x 3 stride 1 and its max-pool goes, as is common practice for
    CIFAR: the original would shrink an image to 8 x 8 before the first residual block.
    """
    network: nn.Module = resnet18(num_classes=classes)
    network.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network

"""ResNet-50 (He et al. 2016, arXiv 1512.03385), torchvision's, as ImageNet is trained with.

In its bottlenecks it is the 3 x 3 convolution that has the stride, where He et al. have it in the
1 x 1 before it.
"""

from torch import nn
from torchvision.models import resnet50

MINIMUM_SIDES = (32, 32)  # halved five times
HEADS = ("fc",)  # its last layer


def build(*, channels: int, classes: int) -> nn.Module:
    """Maps images [n, channels, height, width] to logits [n, classes].

    Images of other than three channels get another stem, initialised as torchvision's.
    """
    network: nn.Module = resnet50(num_classes=classes)
    if channels != 3:
        network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return network

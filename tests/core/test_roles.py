from torch import nn

from optbench.core.roles import HEAD, HIDDEN, VECTOR, param_groups
from optbench.models import cnn, resnet9, resnet18


def by_name(model: nn.Module, heads) -> dict[str, str]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = param_groups(model, heads)
    assert all(group["params"] for group in groups)
    return {names[p]: group["role"] for group in groups for p in group["params"]}


def test_each_parameter_has_the_role_of_its_shape_and_module():
    model = cnn.build(channels=1, classes=10, sides=(8, 8), width=4)
    roles = by_name(model, cnn.HEADS)
    assert roles == {
        "0.weight": HIDDEN, "1.weight": VECTOR, "1.bias": VECTOR, "3.weight": HIDDEN,
        "4.weight": VECTOR, "4.bias": VECTOR, "8.weight": HEAD, "8.bias": VECTOR,
    }  # fmt: skip
    assert HEAD not in by_name(model, ()).values()  # the control


def test_every_network_declares_a_head_that_is_there():
    for module, arguments in (
        (cnn, {"sides": (8, 8)}),
        (resnet9, {"sides": (8, 8)}),
        (resnet18, {}),
    ):
        model = module.build(channels=3, classes=10, **arguments)
        roles = by_name(model, module.HEADS)
        assert sum(role == HEAD for role in roles.values()) == len(module.HEADS) == 1
        assert len(roles) == len(list(model.parameters()))

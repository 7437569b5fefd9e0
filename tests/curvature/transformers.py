"""A small float64 transformer, language model or classifier, and its matrices by curvlinops."""

import torch
from curvlinops import FisherType, KFACLinearOperator, KFACType
from tests.curvature import nets
from tests.curvature.nets import CLASSES
from torch import Tensor, nn
from torch.nn import functional as F

VOCABULARY, TOKENS, WIDTH = 5, 4, 4


class Block(nn.Module):
    """LayerNorm and attention, LayerNorm and MLP, each added to its input [n, tokens, width]."""

    def __init__(self, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 6), nn.Linear(6, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(self.norm1(x)).chunk(3, dim=2)
        q, k, v = (part.unflatten(2, (2, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.proj(mixed.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Maps tokens [n, tokens] to logits [n, tokens, vocabulary], or of their mean, [n, classes]."""

    def __init__(self, *, is_classifier: bool, blocks: int) -> None:
        super().__init__()
        self.is_classifier = is_classifier
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Parameter(torch.zeros(TOKENS, WIDTH))
        self.blocks = nn.Sequential(*(Block(causal=not is_classifier) for _ in range(blocks)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES if is_classifier else VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.blocks(self.embedding(tokens) + self.position))
        return self.head(x.mean(dim=1) if self.is_classifier else x)


def transformer(*, is_classifier: bool = False, blocks: int = 2, seed: int = 0) -> Transformer:
    """With parameters drawn from the seed, so large that predictions differ between tokens."""
    model = Transformer(is_classifier=is_classifier, blocks=blocks).double()
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        for p in module.parameters(recurse=False):
            p.data = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            p.data /= max(1, p.shape[-1] / 3) ** 0.5
    return model


def tokens(n: int, *, length: int = TOKENS, seed: int = 2) -> Tensor:
    """Tokens [n, length]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCABULARY, (n, length), generator=generator)


class ClassesSecond(nn.Module):
    """The model, its logits [n, classes, tokens] as torch's cross entropy and curvlinops ask."""

    def __init__(self, model: nn.Module, token: int | None = None) -> None:
        """`token`: of which alone the logits are given, [n, classes]."""
        super().__init__()
        self.model, self.token = model, token

    def forward(self, inputs: Tensor) -> Tensor:
        logits = self.model(inputs)
        if self.token is not None:
            return logits[:, self.token]
        return logits.movedim(-1, 1)


def public_blocks(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    fisher: FisherType,
    approx: str,
    *,
    token: int | None = None,
    samples: int = 1,
    seed: int = 0,
) -> dict[str, Tensor]:
    """curvlinops' block of each Linear layer under a mean loss, rows in the project's order."""
    layers = nets.matrices(model)
    parameters = {f"{n}.{k}": p for n, m in layers.items() for k, p in m.named_parameters()}
    operator = KFACLinearOperator(
        ClassesSecond(model, token),
        nn.CrossEntropyLoss(),
        list(parameters.values()),
        [(inputs, targets if token is None else targets[:, token])],
        fisher_type=fisher,
        mc_samples=samples,
        seed=seed,
        kfac_approx={"expand": KFACType.EXPAND, "reduce": KFACType.REDUCE}[approx],
        separate_weight_and_bias=False,
        check_deterministic=False,
    )
    sizes = [p.numel() for p in parameters.values()]
    dense = operator @ torch.eye(sum(sizes), dtype=torch.float64)
    places = torch.arange(sum(sizes)).split(sizes)
    named = {
        name: place.view(p.shape)
        for (name, p), place in zip(parameters.items(), places, strict=True)
    }
    order = {name: nets.join(name, layer, named) for name, layer in layers.items()}
    return {name: dense[rows][:, rows] for name, rows in order.items()}

"""Against sums made by hand: 1,000 float32 numbers are 4,000 bytes."""

import torch

from optbench.cost.live_bytes import LiveBytes


def thousand() -> torch.Tensor:
    return torch.ones(1000)


def test_what_is_alive_at_once_adds_up():
    with LiveBytes() as live:
        kept = [thousand() for _ in range(3)]
    assert live.peak == 12_000
    assert len(kept) == 3


def test_what_is_freed_does_not_count_any_more():
    with LiveBytes() as live:
        for _ in range(3):
            thousand()
    assert live.peak == 4_000
    assert live.now == 0


def test_views_and_in_place_results_share_their_storage():
    with LiveBytes() as live:
        tensor = thousand()
        views = [tensor[:10], tensor.view(10, 100), tensor.add_(1)]
    assert live.peak == 4_000
    assert len(views) == 3


def test_tensors_from_before_do_not_count_and_neither_do_their_views():
    tensor = thousand()
    with LiveBytes() as live:
        views = [tensor[:10], tensor.view(10, 100), tensor.add_(1), torch.neg(tensor, out=tensor)]
        assert live.peak == 0
        double = tensor * 2
    assert live.peak == 4_000
    assert len(double) == 1000
    assert len(views) == 4


def test_the_peak_after_a_reset_starts_with_what_is_alive():
    with LiveBytes() as live:
        kept = [thousand()]
        kept.append(thousand() + thousand())
        assert live.peak == 16_000
        live.reset_peak()
        assert live.peak == 8_000
        thousand()
        assert live.peak == 12_000
    assert len(kept) == 2


def test_a_backward_pass_holds_saved_activations_and_gradients():
    """x -> exp -> exp: both results are saved, then two gradients are alive beside them."""
    with LiveBytes() as live:
        x = thousand().requires_grad_()
        y = x.exp().exp()
        assert live.now == 12_000
        y.backward(torch.ones_like(y))
    assert live.peak >= 20_000
    assert live.peak <= 24_000


def test_control_memory_outside_of_the_block_is_not_seen():
    with LiveBytes() as live:
        pass
    kept = thousand()
    assert live.peak == 0
    assert len(kept) == 1000

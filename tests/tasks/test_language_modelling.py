"""Language modelling: windows, bits a character by closed forms, and what is told of a network."""

import hashlib
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.conftest import digits_run
from torch import nn
from torch.nn import functional as F

from optbench.core import randomness
from optbench.core.errors import UsageError
from optbench.core.registry import load_score
from optbench.core.run import Budget
from optbench.core.world import ALONE
from optbench.datasets import shakespeare, shakespeare_sources
from optbench.datasets.texts import END, TextData, vocabulary_of
from optbench.params import signatures
from optbench.supervision.supervise import tell_sample, train
from optbench.tasks.language_modelling.batches import PADDING, EvalBatches
from optbench.tasks.language_modelling.task import LanguageModelling
from optbench.training import assembly

CPU = torch.device("cpu")
SCORE = load_score("language_modelling")
CONTEXT = 8
TRAIN = ["to be, or not to be — that is\n" * 9, "the rest is silence.\n" * 8]
VALIDATION = ["to sleep, to dream\n" * 7]
TEST = ["a nobler mind — to suffer\n" * 5, "but to be or not…\n" * 3]
DATA = TextData(TRAIN, VALIDATION, TEST, vocabulary_of(TRAIN, 290), "0" * 64)


def task_of(seed=0, context=CONTEXT, data=DATA, **settings) -> LanguageModelling:
    base = {"dataset": "shakespeare", "batch_size": 4, "train_split": "full"}
    settings = replace(digits_run().settings, **{**base, **settings})
    return LanguageModelling(data, settings, seed=seed, device=CPU, context=context)


def columns_of(task: LanguageModelling, model) -> dict[str, list]:
    """What is stored of the test set, of a model of tokens [b, t] as logits [b, t, vocabulary]."""
    columns: dict[str, list] = {"nats": [], "characters": []}
    for batch in task.test().epoch(0):
        for name, column in task.columns(model(task.inputs(batch)), batch).items():
            columns[name] += column.tolist()
    return columns


def tokens_of(texts) -> list[int]:
    return [token for text in texts for token in DATA.vocabulary.encode(text).tolist()]


def table(seed: int) -> torch.Tensor:
    """Logits of what follows each token, [vocabulary, vocabulary]."""
    size = len(DATA.vocabulary)
    return torch.randn(size, size, generator=torch.Generator().manual_seed(seed))


def test_a_uniform_model_has_as_many_bits_as_it_takes_to_name_a_token():
    task = task_of()

    def uniform(tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, len(DATA.vocabulary))

    columns = columns_of(task, uniform)
    characters = sum(map(len, TEST))
    assert sum(columns["characters"]) == characters
    expected = math.log2(len(DATA.vocabulary)) * len(tokens_of(TEST)) / characters
    assert SCORE.recount(columns) == pytest.approx(expected, rel=1e-6)
    windows = sum(-(-len(tokens_of([text])) // CONTEXT) for text in TEST)
    assert len(columns["nats"]) == windows
    padded = math.log2(len(DATA.vocabulary)) * windows * CONTEXT / characters
    assert abs(expected / padded - 1) > 0.01  # the control: padding that counts


def test_a_model_of_known_bigrams_has_their_bits():
    """By a loop over the texts; the windows hide nothing from a model that looks back once."""
    logits = table(0)
    log_p = logits.double().log_softmax(dim=1).numpy()

    def bits(tables: np.ndarray) -> float:
        nats = 0.0
        for text in TEST:
            before = END
            for token in DATA.vocabulary.encode(text):
                nats -= tables[before, token]
                before = token
        return nats / math.log(2) / sum(map(len, TEST))

    score = SCORE.recount(columns_of(task_of(), lambda tokens: logits[tokens]))
    assert score == pytest.approx(bits(log_p), rel=1e-6)
    assert score != pytest.approx(bits(log_p.T), rel=1e-4)  # the control


@pytest.mark.parametrize("context", [1, 3, 8, 100])
def test_each_test_token_is_predicted_once_from_those_before_it(context):
    batches = task_of(context=context, batch_size=2).test().epoch(0)
    inputs, targets = map(torch.cat, zip(*batches, strict=True))
    is_target = targets != PADDING
    assert targets[is_target].tolist() == tokens_of(TEST)
    before = [
        token for text in TEST for token in [END, *DATA.vocabulary.encode(text).tolist()[:-1]]
    ]
    assert inputs[is_target].tolist() == before
    assert inputs.shape[1] == context
    assert is_target[:, 0].all()
    are_full = all(len(tokens_of([text])) % context == 0 for text in TEST)
    assert is_target.all() == are_full == (context in (1, 3))


def test_the_score_is_that_of_a_model_that_sees_its_window_alone():
    """The loss of a convolution over what came before, token by token in NumPy."""
    embedded = table(1)[:, :4].double().numpy()
    head = table(2)[:4].double().numpy()

    def model(tokens: torch.Tensor) -> torch.Tensor:
        sums = torch.from_numpy(embedded)[tokens].cumsum(dim=1)  # of all tokens so far
        return (sums @ torch.from_numpy(head)).float()

    nats, count = 0.0, 0
    for text in TEST:
        tokens = DATA.vocabulary.encode(text)
        preceded = [END, *tokens[:-1]]
        for place, token in enumerate(tokens):
            seen = preceded[place // CONTEXT * CONTEXT : place + 1]
            scores = embedded[seen].sum(axis=0) @ head
            nats += np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[token]
            count += 1
    columns = columns_of(task_of(), model)
    assert sum(columns["nats"]) == pytest.approx(nats, rel=1e-5)
    assert sum(columns_of(task_of(context=9), model)["nats"]) != pytest.approx(nats, rel=1e-3)


def test_losses_are_nats_a_token_and_columns_read_back_exactly():
    task, logits = task_of(), table(0)
    for batch in task.test().epoch(0):
        outputs = logits[task.inputs(batch)]
        columns = task.columns(outputs, batch)
        counts = (task.targets(batch) != PADDING).sum(dim=1)
        torch.testing.assert_close(task.losses(outputs, batch), (columns["nats"] / counts).float())
        mean = columns["nats"].sum() / counts.sum()
        torch.testing.assert_close(task.loss(outputs, batch), mean.float())
        stored = columns["nats"].tolist()
        assert json.loads(json.dumps(stored)) == stored
        assert columns["characters"].dtype == torch.int64


def test_training_windows_are_of_the_stream_at_keyed_places():
    task = task_of()
    stream = [END, *(t for text in [*TRAIN, *VALIDATION] for t in [*tokens_of([text]), END])]
    examples = (len(stream) - 1) // CONTEXT
    assert (task.train.examples, len(task.train)) == (examples, examples // 4)
    bits = randomness.words(randomness.key(0, "window", 3), examples)
    places = randomness.integers(bits, len(stream) - CONTEXT)
    inputs, targets = (torch.cat(x) for x in zip(*task.train.epoch(3), strict=True))
    assert len(inputs) == examples // 4 * 4
    for window, successors, place in zip(inputs, targets, places, strict=False):
        assert window.tolist() == stream[place : place + CONTEXT]
        assert successors.tolist() == stream[place + 1 : place + 1 + CONTEXT]


def test_windows_begin_at_every_place():
    data = TextData(["abcdefgh" * 2], [], ["a"], vocabulary_of([], 290), "")
    task = task_of(data=data, context=4, batch_size=4)
    starts = {tuple(w.tolist()) for e in range(60) for w in next(task.train.epoch(e))[0]}
    stream = [END, *b"abcdefghabcdefgh", END]
    assert starts == {tuple(stream[i : i + 4]) for i in range(len(stream) - 4)}


@pytest.mark.parametrize("start", [0, 1, 3])
def test_an_epoch_goes_on_from_any_batch(start):
    task = task_of()
    for batches in (task.train, task.test()):
        whole, rest = list(batches.epoch(1)), list(batches.epoch(1, start))
        assert len(rest) == len(whole) - min(start, len(whole))
        for batch, expected in zip(rest, whole[start:], strict=True):
            assert all(map(torch.equal, batch, expected))


def test_windows_depend_on_seed_epoch_and_example_and_not_on_the_batch():
    def windows(epoch=0, **arguments) -> torch.Tensor:
        return torch.cat([x for x, _ in task_of(**arguments).train.epoch(epoch)])[:12]

    assert torch.equal(windows(), windows(batch_size=6))
    for control in (windows(seed=1), windows(epoch=1)):
        assert not torch.equal(windows(), control)


def test_full_joins_validation_to_training_and_holdout_keeps_it_out():
    full, holdout = task_of(), task_of(train_split="holdout")
    end = [END]
    assert holdout.train.stream.tolist() == [
        *end, *tokens_of(TRAIN[:1]), *end, *tokens_of(TRAIN[1:]), *end,
    ]  # fmt: skip
    assert full.train.stream.tolist() == [
        *holdout.train.stream.tolist(), *tokens_of(VALIDATION), *end,
    ]  # fmt: skip
    assert full.validation() is None
    held_out = torch.cat([y for _, y in holdout.validation().epoch(0)])
    assert held_out[held_out != PADDING].tolist() == tokens_of(VALIDATION)
    assert all(map(torch.equal, next(full.test().epoch(0)), next(holdout.test().epoch(0))))


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_some_windows_are_spread_over_all(limit):
    task = task_of()
    whole = torch.cat([x for x, _ in task.test().epoch(0)])
    batches = task.test(limit)
    some = torch.cat([x for x, _ in batches.epoch(0)])
    assert batches.examples == len(some) == limit
    assert torch.equal(some, whole[[i * len(whole) // limit for i in range(limit)]])
    small = EvalBatches((whole, whole), batch_size=2, limit=limit)
    assert torch.equal(torch.cat([x for x, _ in small.epoch(0)]), some)
    assert len(small) == -(-limit // 2)


def test_the_network_is_told_what_the_task_declares():
    told = task_of().network_args
    assert told == {"vocabulary": len(DATA.vocabulary), "context": CONTEXT}
    assert tuple(told) == signatures.constant("tasks", "language_modelling", "NETWORK_ARGS")


def test_a_batch_larger_than_an_epoch_is_refused():
    examples = task_of().train.examples
    assert len(task_of(batch_size=examples).train) == 1
    with pytest.raises(UsageError, match=rf"at most {examples}, the windows of 8 tokens"):
        task_of(batch_size=examples + 1)


class Bigrams(nn.Module):
    """The table as a network, with dropout, so that its mode matters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(table(seed))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return F.dropout(self.weight[tokens], 0.5, self.training)


def training_of(task, model, optimizer=None):
    learner = SimpleNamespace(
        task=task, model=model, optimizer=optimizer, eager=lambda inputs: model(inputs).float()
    )
    return SimpleNamespace(learner=learner, train=getattr(task, "train", None), world=ALONE)


def test_a_sample_repeats_and_leaves_everything_as_it_was(capsys):
    task, model = task_of(), Bigrams().train()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(5)
    states = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    tell_sample(training_of(task, model), "run")
    first = capsys.readouterr().out
    assert torch.equal(torch.get_rng_state(), states[0])
    assert str(np.random.get_state()) == states[1]  # noqa: NPY002
    assert model.training
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    torch.manual_seed(6)
    tell_sample(training_of(task, model.eval()), "run")
    assert capsys.readouterr().out == first
    assert not model.training
    for other in (training_of(task_of(seed=1), model), training_of(task, Bigrams(1))):  # controls
        tell_sample(other, "run")
        assert capsys.readouterr().out != first


def test_a_sample_is_drawn_with_the_models_probabilities():
    """Each token leads to two, with odds of 3 to 1 before the temperature of 0.8 sharpens them."""
    logits = torch.full((len(DATA.vocabulary),) * 2, -torch.inf)
    logits[:, ord("a")], logits[:, ord("b")] = math.log(3), 0.0
    logits[:, END] = 9.0  # which is never drawn
    texts = [task_of(seed=seed).sample(lambda tokens: logits[tokens]) for seed in range(20)]
    assert {len(text) for text in texts} == {300}
    assert len({*texts}) == 20
    share = sum(text.count("a") for text in texts) / 6000
    expected = 1 / (1 + 3 ** (-1 / 0.8))
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 6000))
    assert abs(expected - 0.75) > 0.04  # the control: without the temperature


def test_a_sample_sees_a_window_that_moves_along():
    seen: list[list[int]] = []

    def follow(tokens: torch.Tensor) -> torch.Tensor:
        seen.append(tokens[0].tolist())
        successors = (tokens % 26 + 1) % 26 + ord("a")
        return F.one_hot(successors, len(DATA.vocabulary)) * 1000.0

    text = task_of().sample(follow)
    drawn = [END, *text.encode()]
    assert seen == [drawn[max(0, i - CONTEXT + 1) : i + 1] for i in range(300)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_sample_of_whatever_a_network_gives_comes_to_its_end(value):
    outputs = torch.full((1, 1, len(DATA.vocabulary)), value)
    assert 0 < len(task_of().sample(lambda _: outputs)) <= 300
    outputs = torch.zeros_like(outputs)
    outputs[..., 0x80] = 1e9  # a byte in which no character begins
    assert task_of().sample(lambda _: outputs) == "\N{REPLACEMENT CHARACTER}" * 300


def test_what_a_terminal_would_obey_is_told_as_an_escape(capsys):
    task = SimpleNamespace(sample=lambda _: "a\x1b[2Jb — \ud800\r\nan end\n")
    tell_sample(training_of(task, Bigrams()), "here")
    assert capsys.readouterr().out.splitlines() == [
        "here: a sample of what it learnt", r"  a\x1b[2Jb \u2014 \ud800\r", "  an end", "",
    ]  # fmt: skip
    tell_sample(training_of(SimpleNamespace(), Bigrams()), "here")
    assert capsys.readouterr().out == ""  # the control: a task without samples


def test_a_sample_is_of_the_weights_that_are_judged(capsys):
    task, model = task_of(), Bigrams(0)
    training, judged = table(0), table(1)
    swap = SimpleNamespace(
        before_evaluation=lambda: model.weight.data.copy_(judged),
        after_evaluation=lambda: model.weight.data.copy_(training),
    )
    tell_sample(training_of(task, model, swap), "run")
    told = capsys.readouterr().out
    assert torch.equal(model.weight, training)
    tell_sample(training_of(task, Bigrams(1)), "run")
    assert capsys.readouterr().out == told
    tell_sample(training_of(task, Bigrams(0)), "run")
    assert capsys.readouterr().out != told  # the control


@pytest.fixture
def plays(monkeypatch, tmp_path):
    """Made-up plays where the data set's are, and a folder of its own for what is written."""
    texts = {f"play-{i:02}": f"# Play {i}\n\nO *fair* world, {i} times!\n" * 40 for i in range(38)}
    files = shakespeare_sources.files_of({name: text.encode() for name, text in texts.items()})
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(shakespeare, "SHA256", digests)
    monkeypatch.setattr(assembly, "DATA", tmp_path)
    (tmp_path / "shakespeare").mkdir()
    for name, content in files.items():
        (tmp_path / "shakespeare" / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_from_its_settings_to_its_score_and_its_sample(plays, capsys, precision):
    run = digits_run(
        "adamw", "cosine", args={"lr": 0.01}, dataset="shakespeare", task="language_modelling",
        task_args={"context": 16}, network="gpt", batch_size=8, budget=Budget(steps=60),
        network_args={"layers": 1, "width": 16, "heads": 2}, precision=precision,
    )  # fmt: skip
    outcome, training = train(run, "test")
    assert outcome == train(run, "test")[0]
    assert outcome.history[0].heldout_score > 2 * outcome.test_score  # it learns
    told = capsys.readouterr().out
    assert told.count("test: a sample of what it learnt\n") == 2
    first, second = (told.partition("a sample")[2].split("a sample")[i] for i in (0, 1))
    assert first.splitlines()[1:5] == second.splitlines()[1:5]

    # The score by hand, of each play of the test set, in float64.
    task = assembly.build_task(run.settings, run.seed, CPU)
    data = shakespeare.load(assembly.DATA / "shakespeare")
    model = training.learner.model.double().eval()
    nats = 0.0
    for text in data.test:
        tokens = data.vocabulary.encode(text)
        preceded = np.array([END, *tokens[:-1]])
        for first_place in range(0, len(tokens), 16):
            window = slice(first_place, first_place + 16)
            with torch.no_grad():
                logits = model(torch.from_numpy(preceded[window])[None])[0].numpy()
            shifted = logits - logits.max(axis=1, keepdims=True)
            log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            nats -= log_p[np.arange(len(log_p)), tokens[window]].sum()
    characters = sum(map(len, data.test))
    expected = nats / math.log(2) / characters
    tolerance = 1e-5 if precision == "fp32" else 0.02
    assert outcome.test_score == pytest.approx(expected, rel=tolerance)
    assert SCORE.recount(outcome.predictions) == outcome.test_score
    assert task.test().examples == len(outcome.predictions["nats"])
    assert outcome.test_score != pytest.approx(outcome.test_loss, rel=0.05)  # the control

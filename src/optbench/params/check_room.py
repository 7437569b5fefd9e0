"""What must be true of a room's params.yaml, part by part, so that all it names can run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from optbench.core.arm import PUBLISHED, TUNED, UNTUNED, Arm
from optbench.core.errors import UsageError
from optbench.core.registry import load_score
from optbench.core.run import Budget, Settings
from optbench.core.score import Score
from optbench.core.space import decades
from optbench.core.study import FRESH
from optbench.params import signatures
from optbench.params.check import Checker
from optbench.params.schema import Control, Search, Suite

# Decades by which spaces of one size may differ, so that ranges can have round ends.
SIZE_TOLERANCE = 0.01
Rows = Mapping[str, Mapping[str, Any]]


def check_target(checker: Checker, target: float, score: Score) -> None:
    """A score can have the target's value."""
    bounds = {"at least": score.low, "at most": score.high}
    if not score.holds(target):
        allowed = " and ".join(f"{k} {v:g}" for k, v in bounds.items() if v is not None)
        checker.add(f"target: got {target:g}: {score.name} must be {allowed}, as it is stored")


def check_settings(checker: Checker, settings: Settings) -> Settings:
    """Data set, task and network exist, take these arguments, and fit each other.

    Gives the settings with all arguments, typed.
    """
    checker.device(settings.device, "settings.device")
    check_budget(checker, "settings.budget", settings.budget)
    is_dataset = checker.name("datasets", settings.dataset, "settings.dataset")
    if is_dataset:
        check_batch_size(checker, "settings.batch_size", settings)
    check_devices(checker, "settings.devices", settings)
    if not checker.name("tasks", settings.task, "settings.task"):
        return settings
    task_args = checker.arguments(
        "tasks", settings.task, ("settings", "task_args"), settings.task_args
    )
    settings = replace(settings, task_args=task_args or {})
    if not checker.name("models", settings.network, "settings.network"):
        return settings
    if is_dataset:
        check_sides(checker, settings)
    network_args = checker.arguments(
        "models", settings.network, ("settings", "network_args"), settings.network_args,
        supplied=tuple(signatures.constant("tasks", settings.task, "NETWORK_ARGS") or ()),
    )  # fmt: skip
    return replace(settings, network_args=network_args or {})


def check_budget(checker: Checker, path: str, budget: Budget) -> bool:
    """Whether a budget is a number of epochs or of steps."""
    is_clear = (budget.epochs is None) != (budget.steps is None)
    if not is_clear:
        got = "neither" if budget.epochs is None else "both"
        checker.add(f"{path}: got {got}: must name epochs or steps, one of the two")
    return is_clear


def check_batch_size(checker: Checker, path: str, settings: Settings) -> None:
    """A batch is not larger than its data, where their file says in TRAIN_EXAMPLES how many."""
    examples = signatures.constant("datasets", settings.dataset, "TRAIN_EXAMPLES")
    if examples is not None and settings.batch_size > examples:
        checker.add(
            f"{path}: got {settings.batch_size}: must be at most {examples}, the size of "
            f"{settings.dataset}'s training set"
        )


def check_devices(checker: Checker, path: str, settings: Settings) -> None:
    """A batch can be dealt to all devices, two examples and more each, as BatchNorm needs."""
    devices, batch_size = settings.devices, settings.batch_size
    if devices == 1:
        return
    if batch_size % devices or batch_size < 2 * devices:
        nearest = max(2, round(batch_size / devices)) * devices
        checker.add(
            f"{path}: got {devices} with batch_size {batch_size}: each device must have as many "
            f"examples of a batch, at least two: make batch_size {nearest}, which is another "
            "experiment"
        )
    if ":" in settings.device:
        checker.add(
            f"settings.device: got '{settings.device}' with {devices} devices: name the kind "
            "alone, and choose among several by CUDA_VISIBLE_DEVICES in the environment"
        )


def check_dealt(
    checker: Checker, name: str, path: str, args: Mapping[str, Any], settings: Settings
) -> None:
    """An optimizer can train on several devices, by what its file declares."""
    devices = settings.devices
    if devices == 1:
        return
    if why := signatures.constant("optimizers", name, "ONE_DEVICE"):
        checker.add(f"{path}: {name} trains on one device alone, since {why}: set devices to 1")
    for argument in signatures.constant("optimizers", name, "DEALT") or ():
        if args[argument] % devices or args[argument] < 2 * devices:
            checker.add(
                f"{path}.{argument}: got {args[argument]} with {devices} devices, each of which "
                f"takes as many of them: must be a multiple of {devices}, at least {2 * devices}"
            )


def check_sides(checker: Checker, settings: Settings) -> None:
    """Images are not too small for the network, where a task or a data set declares their sides."""
    side = settings.task_args.get("side")
    sides = (side, side) if side else signatures.constant("datasets", settings.dataset, "SIDES")
    smallest = signatures.constant("models", settings.network, "MINIMUM_SIDES")
    if sides and smallest and any(a < b for a, b in zip(sides, smallest, strict=False)):
        has = "settings.task_args.side gives" if side else f"{settings.dataset} has"
        checker.add(
            f"settings.network: {settings.network} needs sides of {_sides(smallest)} and more, and "
            f"{has} {_sides(sides)}: choose a network that is less deep"
            f"{', or larger sides' if side else ''}"
        )


def check_optimizer(
    checker: Checker, name: str, path: tuple[str, ...], row: Mapping[str, Any], settings: Settings
) -> dict[str, Any] | None:
    """An optimizer exists, takes this row, and can train this network; its arguments, typed."""
    if not checker.name("optimizers", name, ".".join(path)):
        return None
    args = checker.arguments("optimizers", name, path, row)
    if args is None:
        return None
    requires = signatures.constant("optimizers", name, "REQUIRES") or {}
    for flag, needed in requires.items():
        if args[flag] and not args[needed]:
            checker.add(
                f"{'.'.join(path)}.{flag}: got {args[flag]!r} with {needed} {args[needed]!r}: "
                f"needs a {needed} above 0"
            )
    check_curvature(checker, name, ".".join(path), settings)
    check_dealt(checker, name, ".".join(path), args, settings)
    return args


def check_curvature(checker: Checker, name: str, path: str, settings: Settings) -> None:
    """An optimizer knows the curvature of the task and the network, where both files declare it."""
    task, network = settings.task, settings.network
    likelihoods = signatures.constant("optimizers", name, "LIKELIHOODS")
    likelihood = load_score(task).LIKELIHOOD if task in signatures.names("tasks") else None
    if likelihoods and likelihood and likelihood not in likelihoods:
        checker.add(
            f"{path}: {name} knows the curvature of {', '.join(likelihoods)} outputs "
            f"alone, and those of {task} are {likelihood}: take it out of this room"
        )
    known = signatures.constant("optimizers", name, "LAYERS")
    is_network = network in signatures.names("models")
    layers = signatures.constant("models", network, "LAYERS") if is_network else None
    if known and layers and (strange := sorted({*layers} - {*known})):
        checker.add(
            f"{path}: {name} needs the Jacobian of every layer and knows that of "
            f"{', '.join(known)} alone, and {network} has {', '.join(strange)}: take it out of "
            "this room"
        )


def check_arm(checker: Checker, path: str, arm: Arm, rows: Rows, schedules: Rows) -> bool:
    """Whether an arm has hyper-parameters and a schedule that goes with its optimizer."""
    known = checker.name("optimizers", arm.optimizer, path)
    known &= checker.name("schedules", arm.schedule, path)
    if not known:
        return False
    if arm.schedule not in schedules:
        checker.add(f"schedules.{arm.schedule} is missing in params.yaml: add its arguments")
        return False
    if arm.optimizer not in rows:
        checker.add(
            f"optimizers.{arm.optimizer} is missing: add its hyper-parameters, for example "
            f"{arm.optimizer}: {{lr: 0.001}}"
        )
        return False
    if why := refusal(arm, rows[arm.optimizer]):
        checker.add(f"{path}: {arm} cannot run: {why}")
        return False
    return True


def refusal(arm: Arm, args: Mapping[str, Any]) -> str | None:
    """Why an optimizer does not go with a schedule; None where it does."""
    refused = signatures.constant("optimizers", arm.optimizer, "REFUSES") or {}
    if arm.schedule in refused:
        return str(refused[arm.schedule])
    moves = signatures.constant("schedules", arm.schedule, "MOVES_MOMENTUM")
    if moves and not {"momentum", "betas"} & set(args):
        return (
            f"{arm.schedule} moves momentum, and {arm.optimizer} has neither momentum nor betas: "
            "choose a schedule that moves the learning rate alone"
        )
    return None


def check_suite(
    checker: Checker, suite: Suite, rows: Rows, schedules: Rows, *, devices: int
) -> list[Arm]:
    """Names exist, nothing stands twice, and each arm can run; gives those that can."""
    if beyond := [span for span in suite.studies if span.last >= FRESH]:
        checker.add(f"suite.studies: got {beyond[0]}: must be from 0 to {FRESH - 1}")
    else:
        checker.unique("suite.studies", suite.numbers)
    checker.unique("suite.arms", suite.arms)
    for key in ("repeated", "fresh"):
        checker.unique(f"suite.{key}", getattr(suite, key))
        for arm in getattr(suite, key):
            checker.choice("arm", arm, f"suite.{key}", suite.arms)
    if suite.repeated and not suite.studies:
        checker.add("suite.repeated: there is no study whose winner could be: name suite.studies")
    if suite.repeated and devices > 1:
        checker.add(
            f"suite.repeated: winners train on one device, and settings.devices is {devices}: name "
            "none"
        )
    return [
        arm for arm in suite.every_arm if check_arm(checker, "suite.arms", arm, rows, schedules)
    ]


def check_points(
    checker: Checker, arms: Iterable[Arm], search: Search | None, settings: Settings
) -> None:
    """Each arm has points: a space for those that are tuned, values for those that are not."""
    for arm in arms:
        if arm.tuning == TUNED and search is None:
            checker.add(
                f"suite.arms: {arm.key} has no space to be tuned in: write `search`, or name "
                f"{arm.key}-{PUBLISHED} for the values of its row, or {arm.key}-{UNTUNED} for its "
                "authors'"
            )
        if arm.tuning != UNTUNED:
            continue
        try:
            args = signatures.untuned(arm.optimizer)
        except UsageError as error:
            checker.add(f"suite.arms: {arm.key}: {error}")
        else:
            check_dealt(checker, arm.optimizer, f"suite.arms: {arm.key}", args, settings)


def check_warmup(
    checker: Checker, settings: Settings, names: Iterable[str], rows: Rows, *, whose: str
) -> None:
    """Warm-up leaves steps to the schedule, where the data set says how many there are."""
    examples = signatures.constant("datasets", settings.dataset, "TRAIN_EXAMPLES")
    if not examples:
        return
    per_epoch = max(1, examples // settings.batch_size)
    steps = settings.budget.total_steps(per_epoch)
    for name in dict.fromkeys(names):
        args = rows[name]
        ticks = -(-steps // per_epoch) if args["stepping"] == "epoch" else steps
        if round(args["warmup_fraction"] * ticks) >= ticks:
            checker.add(
                f"schedules.{name}.warmup_fraction in params.yaml: got {args['warmup_fraction']:g}:"
                f" it leaves none of {whose} {ticks} steps to the schedule: make it smaller, or "
                "the budget larger"
            )


def check_control(
    checker: Checker, control: Control, rows: Rows, schedules: Rows, search: Search | None
) -> list[Arm]:
    """The arm is one that is tuned, and no more studies are repeated than there are.

    Gives the arm if it can run.
    """
    arm = Arm.of(control.arm)
    if arm.tuning != TUNED:
        tuned = replace(arm, tuning=TUNED).key
        checker.add(
            f"control.arm: got '{control.arm}': must be an arm that is tuned: write {tuned}"
        )
    if search is None:
        checker.add(
            f"control.arm: {control.arm} has no space to be tuned in: write `search`, or leave "
            "control empty"
        )
    if control.repeated > control.studies:
        checker.add(
            f"control.repeated: got {control.repeated}: must be at most {control.studies}, the "
            "number of control.studies"
        )
    return [arm] if check_arm(checker, "control.arm", arm, rows, schedules) else []


def check_search(checker: Checker, search: Search, settings: Settings, rows: Rows) -> None:
    """Each optimizer has a space of one size of arguments that it takes."""
    if settings.devices > 1:
        checker.add(
            f"search: trials train on one device, and settings.devices is {settings.devices}: "
            "leave search empty"
        )
    if settings.train_split != "holdout":
        checker.add(
            f"settings.train_split: got '{settings.train_split}': trials are chosen on a "
            "validation set that is held out for good: write holdout, or leave search empty"
        )
    before = len(checker.problems)
    for optimizer in rows:
        if optimizer not in search.space:
            checker.add(f"search.space.{optimizer} is missing: add its ranges")
    for optimizer, space in search.space.items():
        where = f"search.space.{optimizer}"
        if not checker.choice("optimizer", optimizer, where, rows):
            continue
        for name, (low, high) in space.items():
            if not checker.choice("argument", name, f"{where}.{name}", rows[optimizer]):
                continue
            if not low < high:
                checker.add(
                    f"{where}.{name}: got [{low}, {high}]: must be [low, high], 0 < low < high"
                )
            value = rows[optimizer][name]
            if not isinstance(value, int | float) or isinstance(value, bool):
                checker.add(
                    f"{where}.{name}: got {value!r} in its row: must be a number to be searched: "
                    "take its range out"
                )
            for end in (low, high):
                args = {**rows[optimizer], name: end}
                checker.arguments("optimizers", optimizer, ("search", "space", optimizer), args)
    if len(checker.problems) == before:
        check_sizes(checker, search)


def check_sizes(checker: Checker, search: Search) -> None:
    """As many dimensions and decades for each optimizer, else the search favours some."""
    counts = {name: len(space) for name, space in search.space.items()}
    lengths = {name: decades(space) for name, space in search.space.items()}
    spread = max(lengths.values(), default=0.0) - min(lengths.values(), default=0.0)
    if not any(counts.values()):
        checker.add("search.space: nothing is searched: write [low, high] for each lr")
    elif len({*counts.values()}) > 1 or spread > SIZE_TOLERANCE:
        listed = "; ".join(
            f"{name} {count} dimension{'' if count == 1 else 's'}, {lengths[name]:.2f} decades"
            for name, count in counts.items()
        )
        checker.add(f"search.space: sizes differ: {listed}: give each optimizer the same")


def _sides(sides: Iterable[int]) -> str:
    """Sizes in a sentence."""
    return " x ".join(map(str, sides))

"""The caption names what was contents, how often, and what says that it can be relied on."""

import dataclasses
import json

from tests.evaluation.examples import trial
from tests.report.conftest import renamed
from tests.report.examples import roughly_untuned, with_result
from tests.report.test_gate import INSIDE, banded

from optbench.core.arm import PUBLISHED, UNTUNED, Arm
from optbench.evaluation.control import Control, Share
from optbench.evaluation.summary import ONE_NETWORK
from optbench.evaluation.text import value_of
from optbench.report import tables
from optbench.report.caption import (
    caption,
    costs_environments,
    coverage,
    describe,
    evidence_of_tuning,
    gate,
    health,
    intervals,
    pooled,
    power,
    setting,
    tuning,
)
from optbench.report.contents import Contents
from optbench.report.ledger import ledger_of
from optbench.report.readme import generated

ADAM = Arm("adam", "cosine")


def results_part(contents: Contents) -> str:
    """README's part with the table."""
    return generated(contents, ledger_of(contents.claims, [contents]))["results"]


def with_suite(contents: Contents, **changes: object) -> Contents:
    """The same contents with another suite."""
    suite = dataclasses.replace(contents.room.suite, **changes)
    return dataclasses.replace(contents, room=dataclasses.replace(contents.room, suite=suite))


def test_coverage_counts_optimizers_and_names_schedules(contents):
    def covered(*arms: str) -> str:
        return coverage(with_suite(contents, arms=arms))

    assert covered("sgd-cosine", "kfac-step") == "2 optimizers under cosine, step"
    assert covered("sgd-cosine", "sgd-cosine-untuned") == "1 optimizer under cosine"


def test_the_setting_names_the_studies(contents):
    assert setting(contents)[1].endswith("; 23 arms, each with the studies 0-3, 4.")


def test_what_the_interval_is_goes_by_the_studies(contents):
    (several,) = intervals(contents)
    assert "n counts studies" in several
    assert "one more study falls into the next column in 95 % of cases" in several
    assert "One network" not in several
    lone = [dataclasses.replace(s, interval=ONE_NETWORK) for s in contents.summaries]
    (network,) = intervals(dataclasses.replace(contents, summaries=lone))
    assert network.startswith("* One network: its binomial interval says how well its accuracy")


def test_the_caption_begins_with_the_baselines_band(contents):
    assert str(caption(contents)[0]).startswith("digits-cnn has no sourced band for its baseline")
    inside = str(caption(banded(contents, INSIDE))[0])
    assert inside.startswith("The baseline sgd / cosine lies in its sourced band of 90 to 99.9 %")
    missed = banded(contents, dataclasses.replace(INSIDE, low=0.998))
    first = str(caption(missed)[0])
    assert first.startswith("No ranking is given: the baseline sgd / cosine has a")


def test_workloads_without_a_band_share_a_sentence(contents, never):
    others = [renamed(contents, name) for name in ("one", "two")]
    assert gate(never, contents, *others) == [
        "digits-cnn, one and two have no sourced band for their baselines: nothing outside of "
        "these studies says that they are trained well."
    ]
    assert [str(s)[:12] for s in gate(banded(contents, INSIDE), *others)] == [
        "The baseline", "one and two ",
    ]  # fmt: skip


def test_a_workload_that_was_not_run_has_no_baseline_to_speak_of(contents, never):
    assert gate(never) == []
    assert gate(contents)  # the control


def in_other_environments(contents: Contents, **other: object) -> Contents:
    """The same, but the first study of adam / cosine ran elsewhere."""
    place = {**contents.of_arm(ADAM)[0].outcome.fingerprint, **other}
    results = with_result(contents.results, ADAM, 0, fingerprint=place)
    return dataclasses.replace(contents, results=results)


def test_environments_are_named_for_the_table_and_for_each_arm_that_mixes_them(contents):
    assert pooled(contents) == []
    table, arm = map(str, pooled(in_other_environments(contents, torch="9.9")))
    assert table.startswith("Warning: The table pools studies of 2 environments: ")
    assert arm.startswith("Warning: adam / cosine pools studies of 2 environments: ")
    assert "1 with torch 9.9" in arm
    assert "4 with torch " in arm


def test_environments_that_differ_in_their_data_alone_are_told_apart(contents):
    mixed = in_other_environments(contents, data_sha256="ab" * 32)
    _, arm = map(str, pooled(mixed))
    assert f"1 with data_sha256 {'ab' * 6};" in arm + ";"
    first, second = (describe(fingerprint) for fingerprint in mixed.environments)
    assert first != second
    assert "ab" * 7 not in arm + first + second


def test_the_costs_name_their_environment(contents):
    (sentence,) = costs_environments(contents)
    assert sentence.startswith("Costs were measured with torch ")
    kfac = contents.costs["kfac"]
    elsewhere = dataclasses.replace(kfac, fingerprint={**kfac.fingerprint, "threads": 7})
    costs = {**contents.costs, "kfac": elsewhere}
    several = costs_environments(dataclasses.replace(contents, costs=costs))
    assert [text.split(" were")[0] for text in several][1] == "Costs of kfac"
    assert "7 threads" in several[1]


def test_readmes_part_says_studies_interval_band_and_environments(contents):
    text = results_part(in_other_environments(contents, torch="9.9"))
    for sentence in (*map(str, gate(contents)), *intervals(contents), "studies 0-3, 4"):
        assert sentence in text
    arm = "[adam / cosine](reports/digits-cnn/report.html#studies-adam-cosine)"
    assert f"{arm} pools studies of 2 environments" in text
    assert "pools studies" not in results_part(contents)


def test_a_search_is_one_sentence_and_what_is_fixed_another(contents):
    searched, fixed = [str(s) for s in tuning(inside_its_spaces(contents))]
    assert searched == (
        "Each study of a tuned arm has 8 trials of 10 epochs, at points of its optimizer's space "
        "of 5.5 decades; it chooses by the validation accuracy, of equals by the loss, and trains "
        "none again."
    )
    assert fixed == "Untuned: the values of the optimizer's authors, one run a study."
    keys = [arm.key for arm in contents.arms if arm.tuning != UNTUNED]
    (alone,) = tuning(inside_its_spaces(with_suite(contents, arms=tuple(keys))))
    assert str(alone) == searched
    published = with_suite(contents, arms=(*keys, f"sgd-cosine-{PUBLISHED}"))
    assert str(tuning(inside_its_spaces(published))[1]).startswith("As published: the values of")


def inside_its_spaces(contents: Contents) -> Contents:
    """The same, but for trials, which all lie in the middle of their space."""
    results = []
    for result in contents.results:
        space = contents.room.space(result.arm)
        middle = {name: (low * high) ** 0.5 for name, (low, high) in space.items()}
        trials = [dataclasses.replace(t, values=json.dumps(middle)) for t in result.trials]
        results.append(dataclasses.replace(result, trials=trials))
    return dataclasses.replace(contents, results=results)


def test_an_edge_is_named_with_its_dimension(contents):
    """Where all studies of an arm chose a point at an end; where one did, that is chance."""
    inside = inside_its_spaces(contents)
    low = contents.room.space(ADAM)["lr"][0]
    first = inside.of_arm(ADAM)[0]

    def warnings(moved):
        results = [
            dataclasses.replace(r, trials=[best_at(low, r)]) if moved(r) else r
            for r in inside.results
        ]
        sentences = map(str, tuning(dataclasses.replace(inside, results=results)))
        return [sentence for sentence in sentences if "Warning" in sentence]

    (warning,) = warnings(lambda result: result.arm == ADAM)
    assert warning.endswith("another space may hold a better one: adam / cosine (lr).")
    assert not warnings(lambda result: result is first)


def best_at(lr, result):
    """A trial of a study, with the best score there is, at that lr."""
    trial = result.trials[0]
    values = json.dumps({**trial.hyper, "lr": lr})
    return dataclasses.replace(trial, validation_score=1.0, diverged_at_step=None, values=values)


def test_health_is_told_for_those_that_tell_it(contents):
    sentences = health(contents)
    assert [sentence.split()[2] for sentence in sentences] == ["kfac", "ngd", "prodigy"]
    assert "failures 0" in sentences[0]
    assert "relative_residual" in sentences[1]


def test_the_power_of_values_is_that_of_arms_as_published_and_claims_of_the_same_score(
    contents, error
):
    """Their margins are 0.5 pp; no claim is of an error, and tuned arms judge no value."""
    for of, sentences in ((as_published(contents), 3), (as_published(error), 2), (contents, 2)):
        assert len(power(of)) == sentences
        assert ("reproduced within 0.5 pp with probability" in power(of)[-1]) == (sentences == 3)
    assert power(error)[0].startswith("The sd over studies, pooled over 21 arms, is 0.00")


def as_published(contents):
    """The same, as if what is untuned were as published."""
    metrics = [
        dataclasses.replace(study, tuning=PUBLISHED) if study.tuning == UNTUNED else study
        for study in contents.metrics
    ]
    results = [
        dataclasses.replace(r, arm=dataclasses.replace(r.arm, tuning=PUBLISHED))
        if r.arm.tuning == UNTUNED
        else r
        for r in contents.results
    ]
    return dataclasses.replace(contents, metrics=metrics, results=results)


def test_the_power_is_that_of_the_arms_that_are_compared(contents):
    """Untuned arms do not search, and spread as runs of one point do."""
    assert power(roughly_untuned(contents)) == power(contents)


def test_the_table_tells_how_values_were_chosen_and_counts_what_was_searched(contents):
    table = tables.results(contents)
    column = table.headers.index("hyper-parameters")
    assert {row.cells[column] for row in table.rows} == {"2 tuned", "untuned"}


def test_the_tables_last_study_column_is_where_one_more_would_fall(contents):
    table = tables.results(contents)
    column = table.headers.index("95 % of studies")
    (summary,) = [s for s in contents.summaries if s.arm == ADAM]
    (row,) = [row for row in table.rows if row.cells[:2] == ("adam", "cosine")]
    low, high = (value_of(contents.score, end) for end in (summary.next_low, summary.next_high))
    assert row.cells[column] == f"{low} to {high}"
    assert summary.next_low < summary.score_low  # a study varies more than a mean of five


def fresh_at(contents: Contents, scores: dict[str, float | None]) -> Contents:
    """The same, whose fresh studies have these scores, by optimizer."""
    fresh = [
        dataclasses.replace(
            result,
            outcome=dataclasses.replace(
                result.outcome,
                test_score=scores.get(result.arm.optimizer, result.outcome.test_score),
            ),
        )
        for result in contents.fresh
    ]
    return dataclasses.replace(contents, fresh=fresh, control=None)


def test_a_fresh_study_outside_of_the_interval_is_told(contents):
    means = {s.optimizer: s.score_mean for s in contents.summaries
             if s.schedule == "warmup_cosine" and s.tuning == "tuned"}  # fmt: skip
    (all_held,) = evidence_of_tuning(fresh_at(contents, means))
    assert str(all_held) == (
        "A second search: of 3 fresh studies, with points and seeds that no other has, 3 fell into "
        "the 95 % interval that the arm's studies predict."
    )
    for outside in (0.5, None):  # far below, or diverged
        (told,) = evidence_of_tuning(fresh_at(contents, {**means, "radam": outside}))
        assert ", 2 fell into " in str(told)
        assert str(told).endswith(" All but: radam / warmup_cosine.")
    assert evidence_of_tuning(dataclasses.replace(contents, fresh=[], control=None)) == []


def test_confirmations_in_the_table(contents):
    means = {s.optimizer: s.score_mean for s in contents.summaries
             if s.schedule == "warmup_cosine" and s.tuning == "tuned"}  # fmt: skip
    table = tables.confirmation(fresh_at(contents, {**means, "radam": 0.5, "adamw": None}))
    assert table.headers == (
        "optimizer / schedule", "test accuracy %", "95 % of studies", "within",
    )  # fmt: skip
    summaries = {s.arm: s for s in contents.summaries}
    arms = [Arm(name, "warmup_cosine") for name in ("sgd", "adamw", "radam")]
    score = contents.score
    expected = [
        (value_of(score, means["sgd"]), "yes"), (value_of(score, None), "no"), ("50.00", "no"),
    ]  # fmt: skip
    for row, arm, (value, within) in zip(table.rows, arms, expected, strict=True):
        ends = (summaries[arm].next_low, summaries[arm].next_high)
        between = " to ".join(value_of(score, end) for end in ends)
        assert row.cells == (str(arm), value, between, within)
        assert row.target == f"#studies-{arm.key}"


def test_tunings_in_the_table_by_hand(contents):
    """Two trials a study: one is chosen by validation, and another is better by test, or worse."""
    arm = Arm("sgd", "warmup_cosine")
    finals = (0.90, 0.92, 0.94, 0.92, 0.92)  # sd 0.0141
    others = (0.95, 0.80, None, 0.80, 0.80)
    pairs = iter(zip(finals, others, strict=True))
    results = []
    for result in contents.results:
        if result.arm == arm:
            final, other = next(pairs)
            result = dataclasses.replace(
                result,
                trials=[trial(1, 0.9, final, lr=0.1), trial(2, 0.8, other, lr=0.1)],
                outcome=dataclasses.replace(result.outcome, test_score=final),
            )
        results.append(result)
    repeats = {arm: [trial(n, 0.9, score) for n, score in enumerate((0.91, 0.92, 0.93), start=1)]}
    table = tables.tuning(dataclasses.replace(contents, results=results, repeats=repeats))
    assert len(table.rows) == len(contents.compared)
    (row,) = [row for row in table.rows if row.cells[0] == str(arm)]
    assert row.target == "#studies-sgd-warmup_cosine"
    # 1 - (0.0100 / 0.0141)^2 = 0.50; regret 0.05 / 5; near 0.95: itself, of ten.
    # F(2, 4) has 2.5 % above 10.65: at most 1 - 0.50 / 10.65 = 0.953.
    share = "50 % (0 % to 95 %)"
    assert row.cells[1:8] == ("10", "1", "1.41", "1.00", share, "1.00", "10 %")
    assert table.caption.endswith("expected test accuracy (%) of the best of k trials")
    assert table.headers[8:] == ("k = 1", "k = 2", "k = 4", "k = 8", "k = 16")  # of other arms
    mean = (sum(finals) + 0.95 + 3 * 0.80 + 0.0) / 10  # one trial: the mean of all, 0 if diverged
    assert row.cells[8] == f"{100 * mean:.2f}"
    assert row.cells[11:] == ("-", "-")  # beyond half of the trials nothing is told
    (other,) = [row for row in table.rows if row.cells[0] == "adam / cosine"]
    assert other.cells[4:6] == ("-", "-")  # no winner of it was repeated


def test_a_studys_row_names_its_choice(contents):
    table = tables.provenance(contents, ADAM)
    assert table.headers[:4] == ("study", "chosen trial", "values", "seed")
    for row, result in zip(table.rows, contents.of_arm(ADAM), strict=True):
        run = result.outcome.run
        chosen = next(t for t in result.trials if t.seed == run.seed)
        assert row.cells[:2] == (str(result.number), f"{chosen.trial} of 8")
        assert row.cells[2] == ", ".join(f"{n} {run.optimizer_args[n]:g}" for n in chosen.hyper)
        assert row.cells[3] == str(run.seed)
        assert row.cells[4] == f"{100 * result.outcome.test_score:.2f}"
    fixed = tables.provenance(contents, Arm("sgd", "warmup_cosine", UNTUNED))
    assert {row.cells[1:3] for row in fixed.rows} == {("1 of 1", "-")}


SHARE = Share(called=0.048, low=0.03, high=0.07, sd=0.005)


def control_in_words(contents: Contents, **changes: object) -> list[str]:
    """The sentences of a control."""
    control = Control(**{"studies": 100, "winners": 40, "over_studies": SHARE,
                         "over_seeds": Share(called=0.41, low=0.3, high=0.5, sd=0.002),
                         **changes})  # fmt: skip
    return [*map(str, evidence_of_tuning(dataclasses.replace(contents, fresh=[], control=control)))]


def test_the_control_says_what_chance_and_what_the_usual_rule_call_different(contents):
    studies, usual = control_in_words(contents)
    assert studies == (
        "Control: 100 studies of sgd / warmup_cosine against each other, five a side: 4.8 % are "
        "called different (95 % interval 3.0 % to 7.0 %), which is compatible with the 5 % "
        "that chance should be; sd over studies 0.500 pp."
    )
    assert usual == (
        "By the usual rule, one search a side and five seeds of what it found, 41 % of comparisons "
        "are called different (95 % interval 30 % to 50 %, 40 searches): an optimizer beats "
        "itself; sd over seeds 0.200 pp."
    )


def test_a_control_that_fails_says_so_and_no_more_is_said_than_it_shows(contents):
    wrong = dataclasses.replace(SHARE, called=0.12, low=0.09, high=0.15)
    assert (
        "which is not compatible with the 5 %" in control_in_words(contents, over_studies=wrong)[0]
    )
    honest = control_in_words(contents, over_seeds=dataclasses.replace(SHARE, sd=0.002))[1]
    assert "beats itself" not in honest
    assert len(control_in_words(contents, over_seeds=None)) == 1


def test_the_control_is_read_from_its_tables(contents):
    assert (contents.control.studies, contents.control.winners) == (20, 4)
    assert "Control: 20 studies of sgd / warmup_cosine" in " ".join(map(str, caption(contents)))
    paths = [f"workloads/digits-cnn/control/{name}.csv" for name in ("trials", "repeats")]
    assert all(path in contents.inputs for path in paths)

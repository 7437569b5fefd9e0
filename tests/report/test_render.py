"""From digits studies: the same bytes each time, and the right numbers."""

import csv
import dataclasses
import hashlib
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.report.conftest import renamed

from optbench.claims.publications import load_publications
from optbench.core import records, rows
from optbench.core.arm import UNTUNED, Arm
from optbench.core.errors import UsageError
from optbench.core.records import Outcome
from optbench.evaluation.evaluate import Result
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import ONE_NETWORK, Summary
from optbench.report import contents as report_contents
from optbench.report import escape, inputs, style, tables
from optbench.report.contents import Contents, read_contents
from optbench.report.curves import learning_curves, schedule_shapes
from optbench.report.figures import performance_profile
from optbench.report.forest import named_contrasts, score_differences
from optbench.report.gallery import figures_of
from optbench.report.ledger import ledger_of
from optbench.report.links import PAGE, Links
from optbench.report.render import render_index, render_report, results_page

ARTEFACTS = ("results.md", "results.csv", "results.tex", "report.html", "claims.json", "claims.md",
             "inputs.sha256")  # fmt: skip


@pytest.mark.slow
def test_the_committed_reports_are_not_stale(committed, tmp_path):
    drawn = {}
    for name, contents in committed.items():
        if not contents.metrics:
            continue
        render_report(contents, tmp_path / name)
        drawn[name] = [
            path.relative_to(tmp_path / name) for path in tmp_path.glob(f"{name}/figures/*.svg")
        ]
        for file in (*ARTEFACTS, *drawn[name]):
            assert (tmp_path / name / file).read_text() == Path("reports", name, file).read_text()
    assert len(drawn["digits-cnn"]) == len(figures_of(committed["digits-cnn"]))


@pytest.mark.usefixtures("svg_alone")
def test_the_committed_index_is_not_stale(committed, tmp_path):
    for name, workload in committed.items():
        if workload.metrics:
            shutil.copytree(f"reports/{name}", tmp_path / name)
    claims = committed["digits-cnn"].claims
    render_index([*committed.values()], claims, tmp_path, load_publications(claims))
    names = ("index.html", "claims.json", "claims.md", "claims.schema.json", "inputs.sha256")
    for name in (*names, "figures/performance_profile.svg"):
        assert (tmp_path / name).read_text() == Path("reports", name).read_text()


def test_the_erratum_is_of_the_formula_that_the_post_claims(contents):
    links = Links([contents], PAGE)
    (formula,) = [claim for claim in contents.claims.claims if claim.kind == "formula"]
    assert f"The post prints {escape.markdown(formula.text)} " in results_page(contents, links)
    others = [claim for claim in contents.claims.claims if claim.kind != "formula"]
    claims = dataclasses.replace(contents.claims, claims=others)
    silent = dataclasses.replace(contents, claims=claims)
    assert "Erratum" not in results_page(silent, links)  # the control


def test_the_indexs_artefacts_carry_the_digest_of_theirs():
    digest = hashlib.sha256(Path("reports/inputs.sha256").read_bytes()).hexdigest()
    for path in (Path("reports/index.html"), *Path("reports/figures").iterdir()):
        assert digest.encode() in path.read_bytes(), path


def test_links_of_the_committed_markdown_lead_somewhere(committed):
    pages = [f"{name}/{page}.md" for name, contents in committed.items() if contents.metrics
             for page in ("claims", "results")]  # fmt: skip
    count = 0
    for path in (Path("reports", page) for page in (*pages, "claims.md")):
        links = re.findall(r"\]\(([^)]+)\)", path.read_text())
        count += len(links)
        for link in dict.fromkeys(links):
            if link.startswith("https://"):  # a source's
                continue
            target, _, fragment = link.partition("#")
            file = path.parent / target
            assert file.is_file(), (path, link)
            assert not fragment or f'id="{fragment}"' in file.read_text(), (path, link)
    assert count > len(pages)


def test_another_target_is_another_digest(contents):
    scores = "reports/digits-cnn/studies.csv"
    assert scores in contents.inputs
    other = {**contents.inputs, scores: "0" * 64}
    changed = dataclasses.replace(contents, inputs=other)
    assert inputs.digest([changed]) != inputs.digest([contents])


def test_scores_are_counted_from_the_predictions_as_the_tables_have_them(committed):
    run = [contents for contents in committed.values() if contents.metrics]
    assert run
    for contents in run:
        studies = rows.to_csv(Metrics, contents.metrics)
        summary = rows.to_csv(Summary, contents.summaries)
        for file, text in (("studies.csv", studies), ("summary.csv", summary)):
            assert Path("reports", contents.name, file).read_text() == text


def test_a_table_of_scores_that_is_not_there_is_named(contents, in_project):
    path = Path("reports/digits-cnn/summary.csv")
    kept = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(UsageError, match=r"summary\.csv is not there: `dvc repro workloads/"):
            read_contents(contents.room, contents.claims)
    finally:
        path.write_bytes(kept)


def test_a_cost_that_was_never_measured_is_named_with_what_measures_it(
    contents, in_project, monkeypatch
):
    monkeypatch.setattr(report_contents, "cost_path", lambda *_: Path("costs/absent.json"))
    with pytest.raises(UsageError, match=r"costs/absent\.json is not there: `dvc repro workloads/"):
        read_contents(contents.room, contents.claims)


def test_every_artefact_carries_the_digest_of_its_inputs(contents, in_project, reported):
    listed = (reported / "digits-cnn/inputs.sha256").read_bytes()
    digest = hashlib.sha256(listed).hexdigest()
    for path in reported.rglob("*.*"):
        if path.name != "inputs.sha256":
            assert digest.encode() in path.read_bytes(), path
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=listed, check=True)
    other = dict(contents.inputs)
    other["claims.yaml"] = "0" * 64
    assert inputs.digest([dataclasses.replace(contents, inputs=other)]) != digest  # the control


def cells_of(table: tables.Table) -> list[list[str]]:
    return [list(row.cells) for row in table.rows]


def test_the_tables_mean_is_the_mean_of_its_studies(contents, in_project):
    rows = cells_of(tables.results(contents))
    (row,) = [row for row in rows if row[:2] == ["adam", "cosine"]]
    accuracies = []
    for result in contents.of_arm(Arm("adam", "cosine")):
        predictions = records.read(result.folder).predictions
        pairs = zip(predictions["actual"], predictions["predicted"], strict=True)
        accuracies.append(statistics.fmean(a == p for a, p in pairs))
    assert row[2] == f"{100 * statistics.fmean(accuracies):.2f}"
    assert row[3] == f"{100 * statistics.stdev(accuracies):.2f}"


def test_every_format_holds_the_same_rows(contents):
    table = tables.results(contents)
    expected = cells_of(table)
    assert table.headers[2:6] == ("accuracy %", "sd pp", "95 % interval", "95 % of studies")
    in_csv = list(csv.reader(tables.csv_text(contents).splitlines()))
    assert in_csv[0][:-1] == list(table.headers)
    assert [row[:-1] for row in in_csv[1:]] == expected
    markdown = tables.markdown(table, page="report.html").splitlines()[2:]
    unlinked = [re.sub(r"\[(\w+)\]\([^)]*\)", r"\1", line) for line in markdown]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in unlinked] == expected
    latex = tables.latex(contents)
    assert latex.count("\\\\\n") == len(expected) + 1
    assert "\\toprule" in latex


def test_epochs_to_target_have_one_decimal(contents):
    for table, column in ((tables.results(contents), 7), (tables.targets(contents), 2)):
        times = [row[column].split(" ")[0] for row in cells_of(table)]
        assert all(re.fullmatch(r"\d+\.\d|-", time) for time in times)
        assert len({*times}) > 1
    (row,) = [row for row in cells_of(tables.results(contents)) if row[:2] == ["sgd", "step"]]
    epochs = [s.epochs_to_target for s in contents.metrics if s.arm == Arm("sgd", "step")]
    reached = [epoch for epoch in epochs if epoch is not None]
    assert 0 < len(reached) < 5
    mean = (sum(reached) + contents.budget_epochs * (5 - len(reached))) / 5
    assert row[7] == f"{mean:.1f} ({len(reached)} of 5)"


def test_a_figure_has_no_date(contents, reported):
    figures = [*(reported / "digits-cnn/figures").glob("*.svg")]
    assert len(figures) == len(figures_of(contents))
    assert not [svg.name for svg in figures if "dc:date" in svg.read_text()]


def changed(contents: Contents, change: Callable[[Result], Outcome]) -> Contents:
    """The same contents with other outcomes."""
    results = [dataclasses.replace(r, outcome=change(r)) for r in contents.results]
    return dataclasses.replace(contents, results=results)


def diverged(contents: Contents, numbers: set[int], points: int) -> Contents:
    """The same contents, where some studies' runs diverged, in every arm, after some points."""

    def change(result: Result) -> Outcome:
        if result.number not in numbers:
            return result.outcome
        history = result.outcome.history[:points]
        return dataclasses.replace(result.outcome, history=history, diverged_at_step=9)

    return changed(contents, change)


def test_a_diverged_study_leaves_the_curve_of_the_others_whole(contents):
    figure = learning_curves(diverged(contents, {0}, 2))
    lines = [line for line in figure.axes[0].lines if line.get_label() == "adam"]
    histories = [r.outcome.history for r in contents.of_arm(Arm("adam", "cosine")) if r.number]
    assert list(lines[0].get_xdata()) == [point.epoch for point in histories[0]]
    last = statistics.fmean(100 * history[-1].heldout_score for history in histories)
    assert lines[0].get_ydata()[-1] == pytest.approx(last)


def test_a_suite_in_which_every_study_diverged_is_still_drawn(contents):
    figure = learning_curves(diverged(contents, {*contents.numbers}, 0))
    assert all(len(line.get_xdata()) == 0 for line in figure.axes[0].lines[:1])
    low, high = figure.axes[0].get_ylim()
    assert low < 100 * contents.room.target < high


def test_the_schedules_shapes_are_those_of_the_results(contents):
    """As if params.yaml had changed since."""

    def change(result: Result) -> Outcome:
        run = result.outcome.run
        if run.schedule != "step":
            return result.outcome
        args = {**run.schedule_args, "gamma": 0.5}
        return dataclasses.replace(result.outcome, run=dataclasses.replace(run, schedule_args=args))

    def last(drawn: Contents) -> float:
        lines = schedule_shapes(drawn).axes[0].lines
        assert [line.get_label() for line in lines] == [*contents.schedules]
        return lines[2].get_ydata()[-1]

    assert last(changed(contents, change)) == pytest.approx(0.25)
    assert last(contents) == pytest.approx(0.01)  # the control


def test_every_optimizer_has_a_colour_of_its_own():
    names = ["sgd", "adam", "adamw", "radam", "ngd", "kfac", "lion", "sophia"]
    assert len({style.colour(name, names) for name in names}) == len(names)


def test_the_profile_says_what_it_is_over_and_what_it_leaves_out(contents):
    missing = Arm("ngd", "warmup_cosine")
    metrics = [s for s in contents.metrics if s.arm != missing or s.study < 4]
    lacking = renamed(contents, "other", metrics=metrics)
    title = performance_profile([contents, lacking]).get_suptitle()
    assert "9 targets (digits-cnn 5, other 4); 31 left out, not run by all" in title


def forest(contents: Contents):
    return score_differences(contents, ledger_of(contents.claims, [contents]).verdicts).axes


def labels(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_the_forest_keeps_named_contrasts_apart_from_the_rest(contents):
    named, rest = forest(contents)
    titles = [axes.get_title(loc="left") for axes in (named, rest)]
    assert "Holm" in titles[0]
    assert titles[1].endswith("exploratory, uncorrected")
    rows = [labels(named), labels(rest)]
    assert "adamw - radam / cosine" in rows[0]
    assert "kfac - sgd / step" in rows[1]
    assert not set(rows[0]) & set(rows[1])
    beside = [[text.get_text() for text in axes.texts] for axes in (named, rest)]
    assert all(re.fullmatch(r"n = 5, 5; ahead \d+ %; p = [\de.-]+", text) for text in beside[0])
    assert all(re.fullmatch(r"n = 5, 5; ahead \d+ %", text) for text in beside[1])
    assert beside[1]


def test_the_forests_p_is_the_ledgers(contents):
    ledger = ledger_of(contents.claims, [contents])
    corrected = {
        str(contrast.name): contrast.p_corrected
        for row in ledger.rows
        for transfer in row.judgement.transfer
        for contrast in transfer.contrasts
        if vars(row.claim)["quantity"] == "score"
    }
    named = named_contrasts(contents, ledger.verdicts)
    assert named
    for (first, second), p in named.items():
        assert p == corrected[f"{first} over {second}"]


def test_the_forest_shows_a_claims_own_contrast_before_transfer_on_the_same_arms(contents):
    """As if these were the runs of the workload that the claims are made for."""
    unbanded = dataclasses.replace(contents.claims, baselines={})
    claimed = renamed(contents, "cifar10-resnet18", claims=unbanded)
    ledger = ledger_of(unbanded, [claimed])
    judgements = {row.claim.id: row.judgement for row in ledger.rows}
    (contrast,) = judgements["finding-cosine"].contrasts
    arms = Arm("adamw", "cosine"), Arm("adamw", "step")
    assert named_contrasts(claimed, ledger.verdicts)[arms] == contrast.p_corrected
    own, transferred = (
        {str(contrast.name): contrast.p_corrected for contrast in contrasts}
        for contrasts in (
            judgements["cifar10-order"].contrasts,
            judgements["imagenet-order"].transfer[0].contrasts,
        )
    )
    assert own.keys() == transferred.keys()
    assert own != transferred  # the control: they are of families of other sizes
    for (first, second), p in named_contrasts(claimed, ledger.verdicts).items():
        assert p == own.get(f"{first} over {second}", p)


def with_arms(contents: Contents, arms: Sequence[Arm]) -> Contents:
    """The same contents, whose suite has some of the arms alone."""
    suite = dataclasses.replace(
        contents.room.suite, arms=tuple(arm.key for arm in arms), repeated=(), fresh=()
    )
    return dataclasses.replace(
        contents,
        room=dataclasses.replace(contents.room, suite=suite),
        results=[result for result in contents.results if result.arm in arms],
        repeats={},
        fresh=[],
        metrics=[study for study in contents.metrics if study.arm in arms],
        summaries=[summary for summary in contents.summaries if summary.arm in arms],
    )


def test_without_the_baseline_there_is_no_difference_from_it(contents):
    without = with_arms(contents, [arm for arm in contents.arms if arm.optimizer != "sgd"])
    assert not any("exploratory" in panel.get_title("left") for panel in forest(without))
    *_, panel = forest(contents)  # the control
    assert "exploratory" in panel.get_title("left")
    assert labels(panel)


@pytest.mark.usefixtures("svg_alone")
def test_a_suite_of_few_arms_has_its_place_everywhere(contents, tmp_path):
    arms = [Arm("sgd", "cosine"), Arm("adam", "step")]
    few = with_arms(contents, arms)
    assert few.arms == tuple(arms)
    panels = learning_curves(few).axes
    assert [panel.get_title() for panel in panels] == ["cosine", "step"]
    assert [panel.get_legend_handles_labels()[1] for panel in panels] == [["sgd"], ["adam"]]
    render_report(few, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r'id="studies-([\w-]+)"', page) == ["sgd-cosine", "adam-step"]
    assert len(tables.results(few).rows) == 2


@pytest.mark.usefixtures("svg_alone")
def test_a_suite_of_fixed_points_has_no_tuning_to_show(contents, tmp_path):
    fixed = with_arms(contents, [arm for arm in contents.arms if arm.tuning == UNTUNED])
    assert fixed.compared == fixed.arms
    assert not tables.tuning(fixed).rows
    render_report(fixed, tmp_path)
    assert 'id="tuning"' not in (tmp_path / "report.html").read_text()
    drawn = {path.stem for path in tmp_path.glob("figures/*.svg")}
    assert not drawn & {"expected_scores", "trial_scores"}


TEX = r"""\documentclass[10pt,a4paper]{article}
\usepackage{booktabs,graphicx}
\begin{document}
\noindent\input{results.tex}
\end{document}
"""


@pytest.mark.slow
@pytest.mark.parametrize("one_network", [False, True])
def test_latex_sets_the_table_within_the_text(contents, tmp_path, one_network):
    """Needs pdflatex, with booktabs and graphicx."""
    kind = {"interval": ONE_NETWORK} if one_network else {}
    summaries = [dataclasses.replace(summary, **kind) for summary in contents.summaries]
    table = tables.latex(dataclasses.replace(contents, summaries=summaries))
    assert ("One network" in table) == one_network
    (tmp_path / "results.tex").write_text(table)
    (tmp_path / "paper.tex").write_text(TEX)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert "Overfull" not in done.stdout


def test_the_index_refuses_other_files_than_those_of_the_report(contents, reported, tmp_path):
    """A digit of the scores was changed after the report, and DVC was told not to look."""
    shutil.copytree(reported, tmp_path, dirs_exist_ok=True)
    for name in ("reports/digits-cnn/studies.csv", "costs/digits-cnn/sgd.json"):
        other = {**contents.inputs, name: "0" * 64}
        changed = dataclasses.replace(contents, inputs=other)
        with pytest.raises(UsageError, match=rf"{name} is not the one that .*: run `dvc repro wor"):
            render_index([changed], contents.claims, tmp_path)
    newer = dataclasses.replace(contents, inputs={**contents.inputs, "claims.yaml": "0" * 64})
    render_index([newer], contents.claims, tmp_path)  # the control


def test_the_index_refuses_a_damaged_figure_or_list(contents, reported, tmp_path):
    shutil.copytree(reported, tmp_path, dirs_exist_ok=True)
    figure = tmp_path / "digits-cnn/figures/final_score.svg"
    whole = figure.read_bytes()
    for damaged in (
        b"",
        whole[:200],
        whole[:-9],
        b"\xff" + whole,
        whole.replace(b"sha256 ", b"sha256 0"),
    ):
        figure.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"final_score\.svg cannot be shown .*`dvc repro wor"):
            render_index([contents], contents.claims, tmp_path)
    figure.write_bytes(whole)
    render_index([contents], contents.claims, tmp_path)  # the control
    for damaged in (b"\xff\xfe", b""):
        (tmp_path / "digits-cnn/inputs.sha256").write_bytes(damaged)
        with pytest.raises(UsageError, match=r"inputs\.sha256.*: run `dvc repro wor"):
            render_index([contents], contents.claims, tmp_path)

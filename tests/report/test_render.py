"""From the committed digits results: the same bytes each time, and the right numbers."""

import csv
import dataclasses
import hashlib
import re
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from optbench.claims.schema import Claims, load_claims
from optbench.core import records
from optbench.evaluation.summary import ONE_NETWORK
from optbench.params.load import load_params
from optbench.report import inputs, style, tables
from optbench.report.contents import Contents, read_all, read_contents
from optbench.report.figures import (
    accuracy_differences,
    learning_curves,
    named_contrasts,
    performance_profile,
)
from optbench.report.ledger import ledger
from optbench.report.render import render_index, render_report


def claims() -> Claims:
    return load_claims(workloads=load_params().workloads)


@pytest.fixture(scope="module")
def contents() -> Contents:
    return read_contents(load_params(), "digits-cnn")


def test_rendering_twice_gives_the_same_bytes(contents, tmp_path):
    for name in ("first", "second"):
        render_report(contents, claims(), tmp_path / name)
    files = [p.relative_to(tmp_path / "first") for p in (tmp_path / "first").rglob("*.*")]
    assert len(files) == 25
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


KINDS = ("svg", "png", "pdf")
ARTEFACTS = ("results.md", "results.csv", "results.tex", "report.html", "claims.json", "claims.md",
             "inputs.sha256")  # fmt: skip


@pytest.mark.parametrize("workload", ["digits-cnn", "cifar10-resnet9"])
def test_the_committed_report_is_not_stale(workload, tmp_path):
    render_report(read_contents(load_params(), workload), claims(), tmp_path)
    drawn = [path.relative_to(tmp_path) for path in tmp_path.glob("figures/*.svg")]
    assert len(drawn) == 6
    for name in (*ARTEFACTS, *drawn):
        assert (tmp_path / name).read_text() == Path("reports", workload, name).read_text()


def test_the_committed_index_is_not_stale(tmp_path):
    workloads = list(read_all(load_params()).values())
    for own in workloads:
        shutil.copytree(f"reports/{own.workload}", tmp_path / own.workload) if own.cells else None
    render_index(workloads, claims(), tmp_path)
    names = ("index.html", "claims.json", "claims.md", "claims.schema.json", "inputs.sha256")
    for name in (*names, "figures/performance_profile.svg"):
        assert (tmp_path / name).read_text() == Path("reports", name).read_text()


def test_the_indexs_artefacts_carry_the_digest_of_theirs():
    digest = hashlib.sha256(Path("reports/inputs.sha256").read_bytes()).hexdigest()
    for name in ("index.html", *(f"figures/performance_profile.{kind}" for kind in KINDS)):
        assert digest.encode() in Path("reports", name).read_bytes(), name


@pytest.mark.parametrize("workload", ["digits-cnn", "cifar10-resnet9"])
def test_links_of_the_committed_markdown_lead_somewhere(workload):
    for path in (Path(f"reports/{workload}/claims.md"), Path(f"reports/{workload}/results.md"),
                 Path("reports/claims.md")):  # fmt: skip
        links = re.findall(r"\]\(([^)]+)\)", path.read_text())
        assert links
        for link in dict.fromkeys(links):
            target, _, fragment = link.partition("#")
            file = path.parent / target
            assert file.is_file(), (path, link)
            assert not fragment or f'id="{fragment}"' in file.read_text(), (path, link)


def test_another_target_is_another_digest(contents):
    scores = "reports/digits-cnn/cells.csv"
    assert scores in contents.inputs
    other = {**contents.inputs, scores: "0" * 64}
    changed = dataclasses.replace(contents, inputs=other)
    assert inputs.digest([changed]) != inputs.digest([contents])


def test_every_artefact_carries_the_digest_of_its_inputs(contents, tmp_path):
    render_report(contents, claims(), tmp_path)
    listed = (tmp_path / "inputs.sha256").read_bytes()
    digest = hashlib.sha256(listed).hexdigest()
    for path in tmp_path.rglob("*.*"):
        if path.name != "inputs.sha256":
            assert digest.encode() in path.read_bytes(), path
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=listed, check=True)
    other = dict(contents.inputs)
    other["claims.yaml"] = "0" * 64
    changed = inputs.digest([dataclasses.replace(contents, inputs=other)])
    assert changed != digest  # the control


def test_the_tables_mean_is_the_mean_of_its_cells(contents):
    (row,) = [r for r in tables.results_rows(contents) if r[:2] == ["adam", "cosine"]]
    accuracies = []
    for seed in contents.suite.seeds:
        predictions = records.read(
            Path("results/digits-cnn/suite") / f"adam-cosine-{seed}"
        ).predictions
        pairs = zip(predictions.actual, predictions.predicted, strict=True)
        accuracies.append(statistics.fmean(a == p for a, p in pairs))
    assert row[2] == f"{100 * statistics.fmean(accuracies):.2f}"
    assert row[3] == f"{100 * statistics.stdev(accuracies):.2f}"


def test_every_format_holds_the_same_rows(contents):
    expected = tables.results_rows(contents)
    in_csv = list(csv.reader(tables.csv_text(contents).splitlines()))[1:]
    assert [row[:-1] for row in in_csv] == expected
    markdown = tables.markdown(contents, page="report.html").splitlines()[2:]
    unlinked = [re.sub(r"\[(\w+)\]\([^)]*\)", r"\1", line) for line in markdown]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in unlinked] == expected
    latex = tables.latex(contents)
    assert latex.count("\\\\\n") == len(expected) + 1
    assert "\\toprule" in latex


def test_a_figure_has_no_date(contents, tmp_path):
    render_report(contents, claims(), tmp_path)
    for svg in (tmp_path / "figures").glob("*.svg"):
        assert "dc:date" not in svg.read_text()


def with_lengths(contents: Contents, lengths: dict[int, int]) -> Contents:
    """The same contents, where the history of some seeds ends early in every group."""
    histories = {
        key: [history[: lengths.get(i, len(history))] for i, history in enumerate(group)]
        for key, group in contents.histories.items()
    }
    return dataclasses.replace(contents, histories=histories)


def test_a_diverged_seed_leaves_the_curve_of_the_others_whole(contents):
    figure = learning_curves(with_lengths(contents, {0: 2}))
    lines = [line for line in figure.axes[0].lines if line.get_label() == "adam"]
    others = [100 * h[-1].heldout_accuracy for h in contents.histories["adam", "cosine"][1:]]
    assert len(lines[0].get_xdata()) == contents.settings.epochs
    assert lines[0].get_ydata()[-1] == pytest.approx(statistics.fmean(others))


def test_a_suite_in_which_every_run_diverged_is_still_drawn(contents):
    figure = learning_curves(with_lengths(contents, dict.fromkeys(contents.suite.seeds, 0)))
    assert all(len(line.get_xdata()) == 0 for line in figure.axes[0].lines[:1])


def test_every_optimizer_has_a_colour_of_its_own():
    names = ["sgd", "adam", "adamw", "radam", "ngd", "kfac", "lion", "sophia"]
    assert len({style.colour(name, names) for name in names}) == len(names)


def test_the_profile_says_what_it_is_over_and_what_it_leaves_out(contents):
    lacking = dataclasses.replace(
        contents,
        workload="other",
        cells=[c for c in contents.cells if (c.optimizer, c.schedule) != ("ngd", "step")],
    )
    title = performance_profile([contents, lacking]).axes[0].get_title(loc="left")
    assert "50 targets (digits-cnn 30, other 20); 10 left out, not run by all" in title


def test_the_forest_keeps_named_contrasts_apart_from_the_rest(contents):
    named, rest = accuracy_differences(contents).axes
    titles = [axes.get_title(loc="left") for axes in (named, rest)]
    assert "Holm" in titles[0]
    assert titles[1].endswith("exploratory, uncorrected")
    rows = [[label.get_text() for label in axes.get_yticklabels()] for axes in (named, rest)]
    assert "adamw - radam / cosine" in rows[0]
    assert "kfac - sgd / step" in rows[1]
    assert not set(rows[0]) & set(rows[1])
    beside = [[text.get_text() for text in axes.texts] for axes in (named, rest)]
    assert all(re.fullmatch(r"n = 10, 10; p = [\de.-]+", text) for text in beside[0])
    assert set(beside[1]) == {"n = 10, 10"}


def test_the_forests_p_is_the_ledgers(contents):
    judged = [
        contrast
        for entry in ledger(claims(), [contents]).entries
        for transfer in entry.judgement.transfer
        for contrast in transfer.contrasts
    ]
    corrected = {contrast.name: contrast.p_corrected for contrast in judged}
    for (first, second), (p, _) in named_contrasts(contents).items():
        assert p == corrected[f"{' / '.join(first)} over {' / '.join(second)}"]


def test_the_forest_shows_a_claims_own_contrast_before_transfer_on_the_same_arms(contents):
    """As if these were the runs of the workload that the claims are made for."""
    unbanded = dataclasses.replace(claims(), baselines={})
    own = dataclasses.replace(contents, workload="cifar10-resnet18", claims=unbanded)
    entries = {entry.id: entry.judgement for entry in ledger(unbanded, [own]).entries}
    (contrast,) = entries["finding-cosine"].contrasts
    p, seeds = named_contrasts(own)[("adamw", "cosine"), ("adamw", "step")]
    assert seeds == (0, 1, 2, 3, 4)
    assert p == contrast.p_corrected
    texts = [text.get_text() for text in accuracy_differences(own).axes[0].texts]
    assert any(text.startswith("n = 5, 5; ") for text in texts)


def test_without_the_baseline_there_is_no_difference_from_it(contents):
    others = tuple(name for name in contents.suite.optimizers if name != "sgd")
    suite = dataclasses.replace(contents.suite, optimizers=others)
    cells = [c for c in contents.cells if c.optimizer in others]
    own = dataclasses.replace(contents, suite=suite, cells=cells)
    assert not accuracy_differences(own).axes[1].get_yticklabels()
    assert accuracy_differences(contents).axes[1].get_yticklabels()  # the control


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
    own = [dataclasses.replace(summary, **kind) for summary in contents.summaries]
    table = tables.latex(dataclasses.replace(contents, summaries=own))
    assert ("One network" in table) == one_network
    (tmp_path / "results.tex").write_text(table)
    (tmp_path / "paper.tex").write_text(TEX)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert "Overfull" not in done.stdout

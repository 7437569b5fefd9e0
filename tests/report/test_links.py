"""Mentions of arms lead to their studies, and nothing else does; each format escapes its text."""

import dataclasses
from html.parser import HTMLParser

import pytest
import yaml

from optbench.core.arm import UNTUNED, Arm
from optbench.core.prose import Mention, Prose
from optbench.report.links import Links

ADAM = Mention("digits-cnn", Arm("adam", "one_cycle"))
SGD = Mention("digits-cnn", Arm("sgd", "step"))


def test_every_mention_of_an_arm_is_a_link(contents):
    sentence = Prose.of(ADAM, " over ", SGD, ": +1 pp")
    page = "digits-cnn/report.html#studies"
    assert Links([contents]).markdown(sentence) == (
        f"[adam / one_cycle]({page}-adam-one_cycle) over [sgd / step]({page}-sgd-step): +1 pp"
    )


def test_on_its_own_page_it_is_an_anchor(contents):
    links = Links([contents], page="")
    assert links.html(Prose.of(SGD)) == '<a href="#studies-sgd-step">sgd / step</a>'


def test_an_arm_of_another_tuning_is_another_place(contents):
    arm = Arm("sgd", "warmup_cosine", UNTUNED)
    html = Links([contents], page="").html(Prose.of(Mention("digits-cnn", arm)))
    assert html == ('<a href="#studies-sgd-warmup_cosine-untuned">sgd / warmup_cosine, untuned</a>')


@pytest.mark.parametrize("text", ["sgd / step", "sgd alone", "adam / one_cycle over sgd / step"])
def test_text_that_mentions_nothing_stays(contents, text):
    """However much it looks like an arm."""
    assert Links([contents]).html(text) == text
    assert Links([contents]).markdown(Prose.of(text)) == text


@pytest.mark.parametrize("workload", ["cifar10-resnet18", "digits-cnn"])
def test_a_workload_without_studies_has_no_links(contents, never, workload):
    sentence = Prose.of(Mention(workload, Arm("sgd", "step")))
    links = Links([never, contents])
    assert ("href" in links.html(sentence)) == (workload == "digits-cnn")
    planned = dataclasses.replace(contents, metrics=[])
    assert Links([never, planned]).html(sentence) == "sgd / step"


def test_an_arm_that_is_not_in_the_suite_has_no_link(contents):
    assert Links([contents]).html(Prose.of(Mention("digits-cnn", Arm("lion", "step")))) == (
        "lion / step"
    )


AWKWARD = "a < b & c > d | *one* `two` [three](four) \\ \"five\" 'six'"


def test_html_is_escaped_once(contents):
    class Text(HTMLParser):
        data = ""

        def handle_data(self, data) -> None:
            self.data += data

    links = Links([contents], page="")
    parser = Text()
    parser.feed(str(links.html(Prose.of(AWKWARD, SGD))))
    parser.close()
    assert parser.data == f"{AWKWARD}sgd / step"


def test_markdown_is_escaped(contents):
    text = Links([contents]).markdown(AWKWARD)
    unescaped = text.replace("\\\\", "\0")
    for mark in "<>|*`[]":
        assert unescaped.count(mark) == unescaped.count(f"\\{mark}") == AWKWARD.count(mark)
    assert Links([contents]).markdown("one_cycle 95 %") == "one_cycle 95 %"  # the control


def test_every_workload_with_studies_or_costs_is_there(every, project):
    expected = set()
    for path in project.glob("workloads/*/params.yaml"):
        suite = yaml.safe_load(path.read_text())["suite"]
        if suite["studies"] or [*(project / "costs" / path.parent.name).glob("*.json")]:
            expected.add(path.parent.name)
    assert set(every) == expected
    assert {name for name, contents in every.items() if contents.metrics} == {"digits-cnn"}

"""Starts a post beside the main one: a folder with claims to be judged, on a page of its own."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.creation import create, require_folder_name
from optbench.cli.yaml_text import with_value
from optbench.core.errors import UsageError
from optbench.params.listed import INDEX, POSTS
from optbench.report.contents import PAGE_OF_POST

CLAIMS = """\
# What a post claims, in our words, with the rule and the studies that judge each claim
# (docs/statistics.md), named before they are run. The three claims are examples: put others in
# their place, of any workload that has a room. claims.yaml at the top has all kinds of claims.

# What the post is called on its page. It may have an author and a url, which begins with https://.
post:
  title: {name}
  date: {today}

# By workload, the band that others' runs give its baseline: outside of it nothing is ranked there.
baselines: {{}}

claims:
# A value: the mean of these studies, against a mean of k0 runs. `claimed` and `margin` are as the
# workload's task stores scores. The arm searches nothing: `-untuned` has the values of the
# optimizer's authors, `-published` those of its row in the workload's room.
- id: adamw-value
  kind: value
  place: where the post says so
  text: AdamW reaches 96 % with the values of its authors.
  quantity: score
  workload: digits-cnn
  claimed: 0.96
  margin: 0.02
  k0: 10
  arm: adamw-warmup_cosine-untuned
  studies: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
# An ordering: the first of each contrast beats the second by at least the margin, in score or in
# epochs_to_target. What workloads in `transfer` say of it stands beside the verdict.
- id: muon-ahead
  kind: ordering
  place: where the post says so
  text: Muon is ahead of SGD.
  quantity: score
  workload: digits-cnn
  margin: 0.0
  contrasts:
  - {{first: muon-warmup_cosine, second: sgd-warmup_cosine}}
  transfer: [digits-vit]
# An equivalence: the two differ by less than the margin.
- id: adam-as-adamw
  kind: equivalence
  place: where the post says so
  text: Adam does as well as AdamW.
  quantity: score
  workload: digits-cnn
  margin: 0.005
  contrast: {{first: adam-warmup_cosine, second: adamw-warmup_cosine}}
"""
PUBLISHED = """\
# What others measured of the claims; none is needed. evidence/published.yaml shows the form, and
# docs/statistics.md has the rules.
sources: {}
figures: {}
"""


def run(arguments: Sequence[str], standing: Path) -> int:
    """Writes posts/<name>/."""
    parser = Parser("new post", __doc__, example="warm-up")
    parser.add_argument("name", help="of letters, digits, hyphens and underscores")
    name = parser.parse_args(arguments).name
    require_folder_name("post", name)
    folder = POSTS / name
    if folder.exists():
        raise UsageError(f"{folder} is there already: choose another name")
    claims, published, stage = (
        folder / file for file in ("claims.yaml", "published.yaml", INDEX.name)
    )
    text = INDEX.read_text(encoding="utf-8")
    places = {"claims": claims, "published": published, "page": folder / PAGE_OF_POST}
    for key, place in {**places, "root": "../.."}.items():
        text = with_value(text, ["vars", 0, key], str(place))
    files = {
        claims: CLAIMS.format(name=name, today=date.today()),
        published: PUBLISHED,
        stage: text,
    }
    create(files, claims=[claims])
    print(
        f"{name} is valid. Change {claims}, then `dvc repro {stage}` judges its claims: "
        f"{folder / PAGE_OF_POST / 'index.html'} shows them."
    )
    return 0

"""What to believe of a claim, by the stated rule."""

import pytest

from optbench.claims.belief import belief_in
from optbench.claims.judgement import AS_TRANSFER, Judgement, Transfer, sentence
from optbench.claims.published import Published
from optbench.evaluation import verdict

FOR, AGAINST = verdict.SUPPORTED, verdict.REFUTED


def judged(word: str, *transfers: str) -> Judgement:
    return Judgement(
        claim="c",
        verdict=word,
        reason=sentence("because"),
        transfer=[
            Transfer(workload=f"w{n}", finding=AS_TRANSFER[each], contrasts=[], notes=[])
            for n, each in enumerate(transfers)
        ],
    )


@pytest.mark.parametrize(
    ("run_here", "transfers", "published", "word"),
    [
        (verdict.REPRODUCED, [AGAINST], "against", "reproduced"),  # what was run here decides
        (verdict.REFUTED, [FOR], "for", "refuted"),
        (verdict.ERRATUM, [], "none", "erratum"),
        (verdict.NO_MEASURE, [FOR], "for", "no measure"),  # whatever is said of it
        (verdict.NOT_RUN, [FOR], "for", "leaning for"),
        (verdict.UNDECIDED, [FOR, verdict.UNDECIDED], "for", "leaning for"),
        (verdict.NOT_RUN, [AGAINST], "against", "leaning against"),
        (verdict.NOT_RUN, [AGAINST, AGAINST], "against", "leaning against"),
        # One kind alone, kinds that differ, or one that contradicts itself: open.
        (verdict.NOT_RUN, [], "for", "open"),
        (verdict.NOT_RUN, [FOR], "none", "open"),
        (verdict.NOT_RUN, [FOR], None, "open"),
        (verdict.NOT_RUN, [FOR], "against", "open"),
        (verdict.NOT_RUN, [FOR], "mixed", "open"),
        (verdict.NOT_RUN, [FOR, AGAINST], "for", "open"),
        (verdict.INCONCLUSIVE, [verdict.UNDECIDED], "against", "open"),
        (verdict.NOT_RUN, [], "none", "open"),
    ],
)
def test_by_hand(run_here, transfers, published, word):
    on = None if published is None else Published(result=published, links=[])
    belief = belief_in(judged(run_here, *transfers), on)
    assert belief.word == word
    kinds = {"open": (), "no measure": ()}
    leaning = ("transfer", "published") if word.startswith("leaning") else ("run here",)
    assert belief.by == kinds.get(word, leaning)

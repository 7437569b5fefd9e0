from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose

FIRST = Mention("digits-cnn", Arm("adamw", "cosine"))
SECOND = Mention("digits-cnn", Arm("sgd", "step"))


def test_as_plain_text_a_mention_is_the_arm():
    prose = Prose.of(FIRST, " is better than ", SECOND, ".")
    assert str(prose) == "adamw / cosine is better than sgd / step."


def test_prose_takes_prose_over_and_joins():
    inner = Prose.of("see ", FIRST)
    assert Prose.of("(", inner, ")") == Prose.of("(", "see ", FIRST, ")")
    assert str(Prose.join("; ", [inner, SECOND, "x"])) == "see adamw / cosine; sgd / step; x"
    assert Prose.join("; ", []) == Prose.of()


def test_only_mentions_become_links_and_all_else_is_escaped():
    """A name in a piece of text is no mention."""
    prose = Prose.of("<", FIRST, "> sgd / step")
    html = prose.written(
        text=lambda text: text.replace("<", "&lt;"),
        mention=lambda mention: f"[{mention}](#{mention.arm.key})",
    )
    assert html == "&lt;[adamw / cosine](#adamw-cosine)> sgd / step"

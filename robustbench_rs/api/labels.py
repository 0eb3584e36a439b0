"""Guarantee labels as text: a solver's word, and behind it in brackets what its radii presuppose."""

from __future__ import annotations


def conditioned(guarantee: str, condition: str) -> str:
    """The label of radii that presuppose something; ``condition`` is "" or a few words in brackets."""
    return f"{guarantee} {condition}".rstrip()


def is_proved(label: str) -> bool:
    """Whether a theorem stands behind a label, under whatever condition."""
    return label.partition(" (")[0] == "proved"

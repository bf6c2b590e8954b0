"""Hypothesis strategies for tests of one's own systems, checkers and schedules.

Everything that is drawn shrinks and lands in Hypothesis's database. Start with docs/strategies.md.
"""

from harness.cases import Case
from harness.strategies.disrupting import schedules
from harness.strategies.drawing import histories, operations
from harness.strategies.mutating import Mutated, mutated_histories
from harness.strategies.recording import Mutation
from harness.strategies.simulated import trials
from harness.strategies.vocabulary import FRESH, Vocabulary, vocabulary_of

__all__ = [
    "FRESH",
    "Case",
    "Mutated",
    "Mutation",
    "Vocabulary",
    "histories",
    "mutated_histories",
    "operations",
    "schedules",
    "trials",
    "vocabulary_of",
]

"""The reference with one law broken, one file a law: what a harness must be able to catch.

Rules
1. A mutant replaces one part of `rules` and changes nothing else.
2. It is honest: its trace says what it did. It is not malicious either, and goes on serving.
"""

from __future__ import annotations

from reference_impl.mutants.catalogue import CATALOGUE
from reference_impl.mutants.mutant import Mutant

__all__ = ["CATALOGUE", "Mutant"]

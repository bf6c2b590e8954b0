"""Guided search: cases that reached a new situation are kept, and the next ones are made from them.

Rules
1. A search is a function of its base, of what is fixed and of its first seed: on one process the
   same cases come in the same order.
2. Every other case, about, is drawn as the swarm draws it: a search that only follows what it knows
   stays where it is. How often that is follows from what came of it lately: whichever way led to
   more new situations, for what its runs cost, is taken more often.
3. A case's energy is what its situations are worth, each the less the more runs have been in it,
   and is spent by choosing it. Ties and sums are of whole numbers: no order of a set decides.

Sources: Zalewski 2014 (AFL); rare edges before common ones, and energy that falls with use,
Böhme et al. 2016 (AFLFast) and 2020 (Entropic).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from random import Random

import msgspec

from harness import swarm
from harness.cases import Case
from harness.search.coverage import Situation
from harness.search.mutation import mutated
from harness.trial import Trial

CORPUS_MAX = 128
WORTH = 1 << 20  # of a situation that one run alone has been in
SEEDS_KEPT = 48  # situations that a case is remembered for: those that were new with it
FRESH_SHARES = (0.3, 0.8)
FORGETTING = 0.9


class Kept(msgspec.Struct):
    """A case of the corpus, with the situations that were new when it came."""

    case: Case
    situations: Sequence[Situation]
    chosen: int = 0


class Way(msgspec.Struct):
    """A way to the next case: situations that were new lately, and frames that it took."""

    news: float = 0.0
    cost: float = 1.0

    @property
    def yields(self) -> float:
        return self.news / self.cost

    def learn(self, news: int, cost: int) -> None:
        self.news = self.news * FORGETTING + news
        self.cost = self.cost * FORGETTING + cost


class Search:
    """Ask for the `next` case, carry it out, and tell what `came` of it."""

    def __init__(self, base: Trial, fixed: Collection[str], first: int) -> None:
        self._base, self._fixed = base, tuple(fixed)
        self._seeds = count(first)
        self._random = Random(f"guided {first}")
        self._corpus: list[Kept] = []
        self._runs_in: dict[Situation, int] = {}
        self._drawn, self._changed = Way(), Way()
        self._way = self._drawn

    @property
    def situations(self) -> int:
        """How many different ones any run has been in."""
        return len(self._runs_in)

    def next(self) -> Case:
        seed = next(self._seeds)
        if not self._corpus or self._random.random() < self._fresh():
            self._way = self._drawn
            return swarm.draw(self._base, self._fixed, seed)
        self._way = self._changed
        parent = self._chosen()
        other = self._random.choice(self._corpus)
        return mutated(parent.case, other.case, self._random)

    def came(self, explicit: Case, situations: Sequence[Situation], deliveries: int) -> None:
        """A case was carried out, and broke nothing. `explicit`: with all that it drew."""
        new = [s for s in situations if s not in self._runs_in]
        for situation in situations:
            self._runs_in[situation] = self._runs_in.get(situation, 0) + 1
        self._way.learn(len(new), 1000 + deliveries)
        if new:
            self._corpus.append(Kept(explicit, new[:SEEDS_KEPT]))
            if len(self._corpus) > CORPUS_MAX:
                self._corpus.remove(min(self._corpus, key=self._energy))

    def _fresh(self) -> float:
        least, most = FRESH_SHARES
        both = self._drawn.yields + self._changed.yields
        return most if both == 0 else least + (most - least) * self._drawn.yields / both

    def _chosen(self) -> Kept:
        energies = [self._energy(kept) for kept in self._corpus]
        chosen = self._random.choices(self._corpus, energies)[0]
        chosen.chosen += 1
        return chosen

    def _energy(self, kept: Kept) -> int:
        worth = sum(WORTH // self._runs_in[s] for s in kept.situations)
        return 1 + worth // (1 + kept.chosen)

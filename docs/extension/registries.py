"""The directive `registry`: a part of the reference, read off the code when the site is built.

    ```{registry} faults
    ```

Nothing of the reference is written by hand, so nothing of it can be out of date: what is in a
registry is on its page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from extension import breaking, commanding, judging, settling

REGISTRIES: Mapping[str, Callable[[], str]] = {
    "checkers": judging.checkers,
    "clusters": settling.clusters,
    "commands": commanding.commands,
    "exit-codes": settling.exit_codes,
    "faults": breaking.faults,
    "models": judging.models,
    "mutants": judging.mutants,
    "nights": settling.nights,
    "packages": breaking.bundles,
    "plugin": commanding.plugin,
    "run-folders": settling.run_folders,
    "systems": settling.systems,
    "topologies": breaking.topologies,
    "trials": settling.trials,
    "workloads": judging.workloads,
}


class Registry(SphinxDirective):
    """Markdown in its place, as if it stood on the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in REGISTRIES:
            raise self.error(f"no registry {name!r}: there are {', '.join(REGISTRIES)}")
        self.env.note_reread()  # the code may have changed
        return self.parse_text_to_nodes(REGISTRIES[name](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.add_directive("registry", Registry)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

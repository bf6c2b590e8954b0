"""How Sphinx makes a site of these documents: `make docs`, without a network.

Rules
1. The source folder is the repository, so that links between documents mean the same here, in a
   checkout and on a page that shows the repository. What they lead to and is no page is shown as
   one (extension/repository_files.py): no link is dead.
2. The documents are plain Markdown. What the site knows beyond it (navigation, the reference)
   stands in index.md and in reference/.
3. Nothing of the built site asks a network for anything.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "Antipaxos"
author = "the authors of Antipaxos"
root_doc = "docs/index"
html_title = "Antipaxos"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "extension.repository_files",
    "extension.registries",
    "extension.docstrings",
]
include_patterns = ["docs/**.md", "*.md", "examples/*/README.md"]
# Not even walked through: they are large, and no part of the site.
exclude_patterns = [
    ".*",
    "antipaxos-runs",
    "benchmarks",
    "build",
    "checkers",
    "docs/_*",
    "docs/extension",
    "harness",
    "nemesis",
    "reference_impl",
    "tests",
    "**/__pycache__",
    "*.egg-info",
]

# Headings are linked to as on GitHub, by their words. External links are links, not images.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
suppress_warnings = [
    "myst.header",  # a page of tables may begin with the third level
    "ref.python",  # a type of one name in two modules: types in signatures are text
]

nitpicky = True
# Links of documents must lead somewhere. Types in signatures are text.
nitpick_ignore_regex = [("py:.*", ".*")]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": False}
python_use_unqualified_type_names = True
toc_object_entries = False  # a thousand of them in the navigation of each page

highlight_language = "text"  # of blocks that name none: trees, commands and what they print
html_theme = "furo"


html_extra_path = ["_root"]
html_copy_source = False
html_show_search_summary = False  # it would fetch pages, which file:// does not allow
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "tango"

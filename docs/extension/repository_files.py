"""Links from a document to files of the repository that are no documents: each becomes a page.

Rules
1. A document links to a program or a folder by its relative path, as it must where the repository
   is looked at. On the site that path leads to a page with the content, coloured, or to a list of
   the folder's files. So nothing of the site points outside of it.
2. Only what is linked to gets a page; of a folder every text file that it holds.
3. What does not exist, or is no text, is a warning, which `make docs` takes for an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.highlighting import PygmentsBridge
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

PAGES = "files"  # the folder of the site in which they are
ASIDE = ("__pycache__", "node_modules")
LANGUAGES = {
    ".go": "go",
    ".json": "json",
    ".mjs": "js",
    ".py": "python",
    ".toml": "toml",
    ".yaml": "yaml",
}
TEMPLATE = "page.html"
LOGGER = logging.getLogger(__name__)


def page_of(path: str) -> str:
    """The page for a file or folder; `path` is relative to the repository, with slashes."""
    return f"{PAGES}/{path}"


def uri(docname: str, path: str) -> str:
    """How a page refers to that of a file."""
    return "../" * docname.count("/") + page_of(path) + ".html"


def language(path: str) -> str:
    """In which a file is written, for its colours."""
    return LANGUAGES.get(Path(path).suffix, "make" if path == "Makefile" else "text")


def contents(folder: Path) -> list[Path]:
    """The text files of a folder, at any depth, in the order of their names."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path
        for path in found
        if not any(part.startswith(".") or part in ASIDE for part in path.parts)
        and text_of(path) is not None
    ]


def text_of(path: Path) -> str | None:
    """What stands in a file; None where it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


class FileLinks(SphinxTransform):
    """Turns links to files and folders into links to their pages, before anything is copied."""

    default_priority = 5

    def apply(self, **_: Any) -> None:
        for node in list(self.document.findall(download_reference)):
            self._settle(node, node["reftarget"])
        for node in list(self.document.findall(pending_xref)):
            if node.get("refdomain") is None and node.get("reftype") == "myst":
                target = node["reftarget"].partition("#")[0]
                if target and (self._source().parent / target).is_dir():
                    self._settle(node, target)

    def _source(self) -> Path:
        return Path(self.env.doc2path(self.env.docname))

    def _settle(self, node: nodes.Element, target: str) -> None:
        root = Path(self.env.srcdir).resolve()
        path = Path(os.path.normpath(self._source().resolve().parent / target))
        if not path.is_relative_to(root):
            LOGGER.warning("%s lies outside of the repository", target, location=node)
            return
        name = path.relative_to(root).as_posix()
        linked(self.env).setdefault(self.env.docname, set()).add(name)
        found = nodes.reference("", "", internal=True, refuri=uri(self.env.docname, name))
        found += node.children
        node.replace_self(found)


def linked(env: BuildEnvironment) -> dict[str, set[str]]:
    """By document, the files and folders that it links to."""
    if not hasattr(env, "repository_files"):
        env.repository_files = {}  # type: ignore[attr-defined]
    found: dict[str, set[str]] = env.repository_files  # type: ignore[attr-defined]
    return found


def forget(_: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """A document is read again."""
    linked(env).pop(docname, None)


def merge(_: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    """What another process read."""
    linked(env).update({name: linked(other)[name] for name in docnames if name in linked(other)})


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The pages, as the builder takes them: name, context, template."""
    root = Path(app.srcdir)
    wanted = {name for names in linked(app.env).values() for name in names}
    folders = {name for name in wanted if (root / name).is_dir()}
    inside = {
        file.relative_to(root).as_posix() for name in folders for file in contents(root / name)
    }
    for name in sorted(folders):
        yield page_of(name), {"title": f"{name}/", "body": _folder(root, name)}, TEMPLATE
    for name in sorted((wanted | inside) - folders):
        text = text_of(root / name)
        if text is None:
            LOGGER.warning("%s is linked to and no text", name)
            continue
        yield page_of(name), {"title": name, "body": _file(name, text)}, TEMPLATE


def _folder(root: Path, name: str) -> str:
    here = Path(name)
    rows = "".join(
        f'<li><a href="{escape(f"{here.name}/{file.relative_to(root / name).as_posix()}")}.html">'
        f"<code>{escape(file.relative_to(root / name).as_posix())}</code></a></li>"
        for file in contents(root / name)
    )
    return f"<section><h1>{escape(name)}/</h1><ul>{rows}</ul></section>"


def _file(name: str, text: str) -> str:
    coloured = PygmentsBridge("html").highlight_block(text, language(name))
    return (
        f"<section><h1>{escape(name)}</h1>"
        f'<div class="highlight-{language(name)} notranslate">{coloured}</div></section>'
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.add_transform(FileLinks)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("html-collect-pages", pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

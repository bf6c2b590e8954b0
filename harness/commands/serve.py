"""`antipaxos serve`: a web page over stored runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.store.folder import ROOT


@click.command(name="serve")
@click.option("--store", type=click.Path(path_type=Path), default=ROOT, help="The folder of runs.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="0 for any."
)
@click.option(
    "--token",
    envvar="ANTIPAXOS_TOKEN",
    help="What visitors must show. Made and printed where others can reach the host.",
)
@click.option("--archive", help="Where nights are, if not in the store: as for nightly.")
def command(store: Path, host: str, port: int, token: str | None, archive: str | None) -> None:
    """A web page over stored runs: search, compare, replay, nights.

    \b
    antipaxos serve
    antipaxos serve --store runs --port 0
    """
    from harness.serve.server import serve

    serve(store, host, port, token, archive)

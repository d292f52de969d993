"""`imageloom browse`: serves a page to look through a data set."""

from __future__ import annotations

import threading
import warnings
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imageloom._cli.arguments import (
    SectionedCommand,
    extensions_option,
    no_images,
    on_stderr,
    option,
)
from imageloom._cli.tables import columns_of, table_options
from imageloom._cli.terminal import Failure
from imageloom._cli.values import Place

if TYPE_CHECKING:
    from imageloom._cli.browsing.server import LoopbackServer
    from imageloom._cli.browsing.site import Site

__all__ = ["browse"]


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom browse photos
    imageloom browse photos --no-open --port 8080
    imageloom browse labels.csv --directory photos --x-col file --y-col label
    """,
)
@click.argument("place", type=Place(files=True), metavar="DIR|TABLE")
@option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="N",
    help="Listen at this port of 127.0.0.1.  [default: a free one]",
)
@option("--no-open", is_flag=True, help="Do not open the page in your browser.")
@option(
    "--no-inspect",
    is_flag=True,
    help="Do not look for problems, which reads every file once, in the background.",
)
@table_options
@extensions_option
def browse(
    place: Path | str,
    port: int | None,
    no_open: bool,
    no_inspect: bool,
    directory: str | None,
    x_col: str,
    y_col: tuple[str, ...],
    weight_col: str | None,
    class_mode: str,
    extensions: list[str] | str | None,
) -> None:
    """Look through a data set in your browser.

    Shows the images of DIR, or of those that a TABLE (.csv or .tsv) names, by class; what `imageloom
    inspect` finds; and augmented versions, with sliders for the arguments of ImageDataGenerator and the
    call to copy. Prints the address of the page, and ends with Ctrl-C.

    The page is served to this machine only, to those who know the address, and needs no network. The
    files are only read.
    """
    from imageloom._cli.browsing.calls import flow_call
    from imageloom._cli.browsing.data import BrowsedData
    from imageloom._cli.browsing.inspection import Inspection
    from imageloom._cli.browsing.site import Site
    from imageloom._cli.listed import list_data

    columns = columns_of(directory, x_col, y_col, weight_col, class_mode)
    with on_stderr():
        listed = list_data(place, columns, None, extensions)
        if not listed.names:
            raise listed.refused or no_images(place)
        data = BrowsedData(listed)
        inspection = Inspection(place, listed, data.numbers, wanted=not no_inspect)
        site = Site(place, data, inspection, flow_call(place, columns, extensions))
        server = _opened(port, site)
    with server:
        click.echo(server.url)
        if not no_open:
            # In a thread, because some browsers keep the caller waiting.
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        inspection.start()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the page shows what they say
                server.serve_forever()
        finally:
            inspection.stop()


def _opened(port: int | None, site: Site) -> LoopbackServer:
    from imageloom._cli.browsing.server import LoopbackServer

    try:
        return LoopbackServer(port or 0, site.answer)
    except OSError as error:
        if port is None:
            raise
        raise Failure(
            f"Port {port} cannot be used ({error.strerror}): leave out --port, and a free one is taken."
        ) from error

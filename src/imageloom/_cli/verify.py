"""`imageloom verify`: whether a folder gives the batches of a receipt."""

from __future__ import annotations

import json
from pathlib import Path

import click

from imageloom._cli.arguments import SectionedCommand, json_option, on_stderr, option
from imageloom._cli.saved import read_json, table_option
from imageloom._cli.terminal import Failure
from imageloom._cli.values import CORES, Place
from imageloom._errors import in_one_line

__all__ = ["verify"]


@click.command(
    cls=SectionedCommand,
    examples="""
    python -c 'import train, json; print(json.dumps(train.flow.receipt()))' > receipt.json
    imageloom verify receipt.json photos
    imageloom verify receipt.json photos --table train.csv --json
    imageloom verify receipt.json --table train.parquet
    imageloom verify receipt.json digits --statistics digits.npz
    """,
)
@click.argument(
    "receipt", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="RECEIPT"
)
@click.argument("folder", type=Place(files=False), metavar="[DIR]", required=False)
@table_option
@option(
    "--statistics",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What the generator was fitted with, as written by imageloom stats; needed for zca_whitening.",
)
@option(
    "--cores",
    type=CORES,
    default="1",
    metavar="N",
    help="Number of workers for the batches.  [default: 1]",
)
@json_option
def verify(
    receipt: Path,
    folder: Path | str | None,
    table: Path | str | None,
    statistics: Path | None,
    cores: float,
    as_json: bool,
) -> None:
    """Tell whether the images in DIR give the same batches as elsewhere.

    DIR is the folder or URL of the images, of the shards of flow_from_webdataset, or of the files of
    flow_from_table. By default it is the one that the receipt names.

    RECEIPT is a JSON file of it.receipt(). The files are compared, and the batches of the receipt
    are computed again. Everything that differs is printed: files, arguments, bytes of batches, and
    then also versions. The exit status is 0 if all is the same, and 1 if anything differs.
    A preprocess_input of Keras is known, without Keras. Runs with functions of yours are verified in
    Python: it.verify(receipt).
    """
    from imageloom._api.iterators.receipts import is_receipt
    from imageloom._api.rebuilding import rebuilt

    found = read_json(receipt)
    if not is_receipt(found):
        raise Failure(
            f"{str(receipt)!r} is not a receipt: write one with json.dump(it.receipt(), file)."
        )
    with on_stderr():
        flow = rebuilt(
            found,
            folder,
            table,
            statistics,
            instead="make the iterator as there and call it.verify(receipt)",
            cores=cores,
            executor="serial" if cores == 1 else "processes",
        )
        with flow:
            differences = flow.verify(found)
    batches = len(found["batches"])
    if as_json:
        result = {"same": not differences, "differences": differences, "batches": batches}
        click.echo(json.dumps(result, indent=1))
    else:
        for sentence in differences:
            click.echo(in_one_line(sentence))
        images = f"{flow.n} image{'' if flow.n == 1 else 's'}"
        computed = f"{batches} batch{'' if batches == 1 else 'es'}"
        verdict = "Not the same" if differences else "The same"
        click.echo(f"{verdict}: {images}, and {computed} computed again.")
    if differences:
        click.get_current_context().exit(1)

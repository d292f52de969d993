"""The options that say how a data set is divided into subsets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from imageloom._cli.arguments import option
from imageloom._cli.values import FOLD

if TYPE_CHECKING:
    from imageloom._options import GeneratorOptions

__all__ = ["SPLITS", "split_options", "splitting_of"]

Command = TypeVar("Command", bound=Callable[..., Any])

# Copied from `imageloom._checks.splits`, because that imports NumPy. A test compares both.
SPLITS: Final = ("sorted", "random", "stratified")


def split_options(command: Command) -> Command:
    """Adds the options; `splitting_of` takes their values."""
    for add in (
        option("--fold", section="Split", type=FOLD, metavar="I/K",
               help="Part I of K, from 0, is for validation."),
        option("--groups", section="Split", metavar="COLUMN|PATTERN",
               help="Keep together what has the same value in a column of TABLE, or in DIR, what a "
               "regular expression (or its first group) finds in the file name."),
        option("--split-seed", section="Split", type=click.IntRange(0, 2**32 - 1), default=0,
               show_default=True, help="Seed of a random or stratified split."),
        option("--split", section="Split", type=click.Choice(SPLITS), default="sorted",
               show_default=True, help="Which files are for validation."),
        option("--validation-split", section="Split", metavar="SHARE",
               type=click.FloatRange(0, 1, min_open=True, max_open=True),
               help="Also examine the subsets that this share makes."),
    ):  # fmt: skip
        command = add(command)
    return command


def splitting_of(
    place: os.PathLike[str] | str,
    validation_split: float | None,
    split: str,
    split_seed: int,
    groups: str | None,
    fold: tuple[int, int] | None,
) -> GeneratorOptions:
    """What the options say, as the generator's options.

    Raises:
        click.UsageError: there is nothing to divide by, or too much.
        click.BadParameter: the pattern is no regular expression.
    """
    from imageloom._options import GeneratorOptions

    if validation_split is not None and fold is not None:
        raise click.UsageError("--validation-split and --fold exclude each other: pass one of them.")
    if validation_split is None and fold is None and (split != "sorted" or groups is not None):
        raise click.UsageError(
            "--split and --groups need --validation-split SHARE, or --fold I/K, to divide by."
        )
    found: Any = groups
    if groups is not None and not os.path.isfile(place):
        found = _matched(groups)
    return GeneratorOptions(
        validation_split=validation_split, split=split, split_seed=split_seed, groups=found, fold=fold
    )


def _matched(pattern: str) -> Callable[[str], str | None]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise click.BadParameter(f"{pattern!r} is no regular expression: {error}.") from error

    def group(name: str) -> str | None:
        match = compiled.search(name.replace(os.sep, "/"))
        return None if match is None else match[1 if compiled.groups else 0]

    return group

"""`imageloom explain`: prints the section about a warning or an error, without a network.

The sections are those of the documents' pages `docs/warnings.md` and `docs/errors.md`, of which this
package has copies.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Final

import click

from imageloom._addresses import PAGES
from imageloom._cli.arguments import WithExamples, json_option
from imageloom._cli.terminal import heading
from imageloom._errors import in_one_line

__all__ = ["explain", "sections"]

_PAGES: Final = ("warnings.md", "errors.md")
_NAME: Final = re.compile(r"\w+")
_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
_LEAD: Final = re.compile(r"\*\*(.*?)\*\*", re.DOTALL)


@click.command(
    cls=WithExamples,
    examples="""
    imageloom explain IL107
    imageloom explain BadImageError
    imageloom explain                 all codes and errors, a line each
    """,
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def explain(names: tuple[str, ...], as_json: bool) -> None:
    """Print what a warning or an error means, where it comes from, and what to do.

    NAME is the code of a warning, such as IL107, or the class of an error, such as BadImageError. It
    may be pasted with what stands around it: [IL302], imageloom.BadImageError. Without a name, all are
    listed.
    """
    known = sections()
    chosen = [_found(name, known) for name in names] or list(known)
    if as_json:
        click.echo(json.dumps({name: known[name] for name in chosen}, indent=1, ensure_ascii=False))
    elif names:
        click.echo("\n\n".join(f"{heading(name)}\n\n{_plain(known[name])}" for name in chosen))
    else:
        for name in chosen:
            lead = _LEAD.search(known[name])
            click.echo(f"{heading(f'{name:24}')} {_plain(' '.join((lead[1] if lead else '').split()))}")


def sections() -> dict[str, str]:
    """Name of a warning or an error -> the Markdown of the section about it."""
    found = {}
    for page in _PAGES:
        text = resources.files("imageloom._cli").joinpath("explanations", page).read_text("utf-8")
        for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
            name, _, body = part.partition("\n")
            # The last section of a chapter is followed by the heading of the next one.
            found[name.strip()] = re.split(r"^## ", body, flags=re.MULTILINE)[0].strip()
    return found


def _found(text: str, known: dict[str, str]) -> str:
    """The name that is meant.

    Raises:
        click.UsageError: there is no such section.
    """
    by_key = {name.lower(): name for name in known}
    for word in _NAME.findall(text):
        if word.lower() in by_key:
            return by_key[word.lower()]
    from imageloom._checks.suggestions import nearest

    near = nearest(text, known)
    question = f" Did you mean {near}?" if near else " `imageloom explain` lists all names."
    raise click.UsageError(f"There is no explanation of {in_one_line(text)!r}.{question}")


def _plain(markdown: str) -> str:
    """Markdown as it is read in a terminal: without the marks, and with the addresses of links."""
    text = _LINK.sub(lambda link: f"{link[1]} ({_address(link[2])})", markdown)
    return _LEAD.sub(lambda bold: click.style(bold[1], bold=True), text)


def _address(target: str) -> str:
    if re.match(r"https?:", target):
        return target
    return f"{PAGES}/{target}"

"""Every warning and error names a section of a page, and every section is named by something."""

from __future__ import annotations

import ast
import errno
import inspect
import json
import logging
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from command_line import run

import imageloom
from imageloom import ImageLoomError
from imageloom._addresses import PAGES, address_line
from imageloom._cli import main
from imageloom._cli.explain import sections
from imageloom._warnings import Code, Hint, coded, warn_user

ROOT = Path(__file__).parents[2]
PACKAGE = Path(imageloom.__file__).parent
COPIES = PACKAGE / "_cli" / "explanations"
SECTIONS = sections()
CODES = {str(code) for code in Code}
ERRORS = {
    name: value
    for name in imageloom.__all__
    if not name.endswith("Callback")  # their modules import Keras, which may not be there
    and inspect.isclass(value := getattr(imageloom, name))
    and issubclass(value, ImageLoomError)
}
TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
BUILT_IN = {
    node.args[0].func.id
    for tree in TREES
    for node in ast.walk(tree)
    if isinstance(node, ast.Call)
    and getattr(node.func, "id", "") == "with_address"
    and isinstance(node.args[0], ast.Call)
    and isinstance(node.args[0].func, ast.Name)
}
OF_COMMANDS = {"UsageError"}
of_a_checkout = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="an unpacked distribution has no documents"
)
# What no message of ours says: the class that nothing raises itself.
WITHOUT_WORDS = {"ImageLoomError"}


@of_a_checkout
@pytest.mark.parametrize("page", ["errors.md", "warnings.md"])
def test_the_package_has_copies_of_the_pages(page: str) -> None:
    """If not: cp docs/errors.md docs/warnings.md src/imageloom/_cli/explanations."""
    assert (COPIES / page).read_bytes() == (ROOT / "docs" / page).read_bytes()


def test_no_section_is_missing_and_none_is_an_orphan() -> None:
    assert {"AttributeError", "IndexError", "NotImplementedError"} == BUILT_IN
    of_errors = {*ERRORS, *BUILT_IN, *OF_COMMANDS}
    assert set(SECTIONS) == {*CODES, *of_errors}
    for page, names in (("warnings.md", CODES), ("errors.md", of_errors)):
        headings = re.findall(r"^### (.*)$", (COPIES / page).read_text("utf-8"), re.MULTILINE)
        assert set(headings) == names
        assert len(headings) == len(names)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_what_a_reader_needs(name: str) -> None:
    lead, example, *rest = re.split(r"\n\n", SECTIONS[name])
    assert lead.startswith("**")
    assert example.startswith("> ")
    beginnings = [re.match(r"\*\*(.+?)\*\*", part)[1] for part in rest]  # type: ignore[index]
    assert beginnings == ["Causes:", "What to do:"]


def is_right(line: str, name: str) -> bool:
    """Whether the line leads to a section that exists, by both ways."""
    found = re.fullmatch(r"What to do: imageloom explain (\w+), or (\S+)/(\w+\.md)#(\w+)", line)
    assert found is not None, line
    # What the heading's anchor is called, on GitHub and on the site.
    headings = re.findall(r"^### (.*)$", (COPIES / found[3]).read_text("utf-8"), re.MULTILINE)
    return (found[1], found[2]) == (name, PAGES) and found[4] in [h.lower() for h in headings]


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_their_section(name: str) -> None:
    error = ERRORS[name]("what was wrong")
    assert str(error) == "what was wrong"
    (note,) = error.__notes__
    assert is_right(note, name)
    error.add_note("while reading")
    assert error.__notes__ == ["while reading", note], "details come first"


def test_a_class_that_is_not_public_leads_to_its_nearest_public_one() -> None:
    class Mine(imageloom.BadImageError):
        pass

    assert is_right(Mine("x").__notes__[0], "BadImageError")


@pytest.mark.parametrize("code", Code)
def test_warnings_name_their_section(code: Code) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_user("Words.", code=code)
        warn_user(coded(code, "Words,\nin lines."))
    for one, words in zip(caught, ("Words.", "Words,\nin lines."), strict=True):
        message, _, line = str(one.message).rpartition("\n")
        assert message == coded(code, words)
        assert is_right(line, code)


def test_hints_name_their_section(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="imageloom")
    warn_user("Words.", Hint, code=Code.AUGMENTED_VALIDATION)
    (message,) = caplog.messages
    assert is_right(message.splitlines()[-1], "IL108")


def test_warnings_of_others_stay_as_they_are() -> None:
    with pytest.warns(UserWarning, match=r"^Words of another library\.$"):
        warn_user("Words of another library.", code=None)


@pytest.mark.parametrize(
    "filtered", ["IL107", r"(?s).*\[IL302\]"], ids=["at the beginning", "at the end"]
)
def test_filters_work_as_the_page_says(filtered: str) -> None:
    code = Code(re.findall(r"IL\d+", filtered)[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", message=filtered)
        warn_user("Words.", code=code)


def pieces() -> set[str]:
    """The constant parts of all texts in the package."""
    found = {
        node.value
        for tree in TREES
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    # Some have fields for `format`.
    parts = {part for text in found for part in re.split(r"\{\w*(?::[^}]*)?\}", text)}
    return {" ".join(part.split()) for part in parts if len(part.split()) > 1}


PIECES = pieces()


@pytest.mark.parametrize("name", sorted(set(SECTIONS) - WITHOUT_WORDS))
def test_examples_are_in_the_words_of_the_code(name: str) -> None:
    (_, quoted, *_) = re.split(r"\n\n", SECTIONS[name])
    example = " ".join(quoted.replace("\n> ", " ").removeprefix("> ").split())
    if name in CODES:
        assert name in example
        example = example.removeprefix(f"{name}: ").removesuffix(f" [{name}]")
    else:
        assert example.startswith(f"{name}: ")
        example = example.removeprefix(f"{name}: ")
    covered = [False] * len(example)
    for piece in PIECES:
        at = example.find(piece)
        if at >= 0:
            covered[at : at + len(piece)] = [True] * len(piece)
    left = "".join(" " if known else char for char, known in zip(example, covered, strict=True))
    # Names, numbers and the words of the system are not in the code.
    assert sum(covered) >= len(example) / 5, f"only values: {left!r}"
    assert max(len(part.split()) for part in re.split(r" {4,}", left)) <= 12, left


@of_a_checkout
def test_a_symptom_has_a_reason_and_what_to_do() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    symptoms = re.split(r"^### ", page.partition("\n## None of these")[0], flags=re.MULTILINE)[1:]
    assert len(symptoms) > 25
    for one in symptoms:
        beginnings = re.findall(r"^\*\*(.+?:)\*\*", one, re.MULTILINE)
        assert beginnings == ["Why:", "What to do:"], one.splitlines()[0]


@of_a_checkout
def test_a_question_is_a_heading() -> None:
    page = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
    questions = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert len(questions) > 30
    assert [question for question in questions if not question.endswith("?")] == []


# The command


def test_the_command_prints_sections() -> None:
    text = run("explain", "[IL302]", "imageloom.BadImageError:").output
    assert text.index("IL302\n") < text.index("Exchanged axes.") < text.index("BadImageError\n")
    assert f"({PAGES}/warnings.md#il409)" in text
    assert "**" not in text


def test_the_command_lists_all_names() -> None:
    lines = run("explain").output.splitlines()
    assert [line.split()[0] for line in lines] == list(SECTIONS)
    assert all(len(line.split()) > 2 for line in lines)
    assert json.loads(run("explain", "--json").output) == SECTIONS


def test_the_command_knows_what_is_meant() -> None:
    done = run("explain", "BadImageEror", status=2)
    assert "Did you mean BadImageError?" in done.stderr


def test_a_command_that_fails_says_where_its_error_is_explained(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("{}", encoding="utf-8")
    done = run("replay", state, "--step", 1, status=1)
    assert done.stderr.splitlines()[-1] == address_line("InvalidArgumentError")


def commands(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The words that lead to each command, and the command."""
    yield before, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield (*before, name), command


COMMANDS = dict(commands(main))


def wrong_words(command: click.Command) -> Iterator[tuple[str, ...]]:
    """Words that a command does not understand, of each kind that it can be given."""
    yield ("--no-such-option",)
    if isinstance(command, click.Group):
        yield ("no-such-command",)
    for each in command.params:
        if isinstance(each, click.Argument) and each.required:
            yield ()  # it is missing
        if isinstance(each, click.Option) and not each.is_flag and each.nargs == 1:
            yield (each.opts[0],)  # without its value
        if isinstance(each.type, click.Choice):
            yield (each.opts[0], "no-such-choice")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "imageloom")
def test_what_a_command_does_not_understand_is_explained(words: tuple[str, ...]) -> None:
    for wrong in wrong_words(COMMANDS[words]):
        done = run(*words, *wrong, status=2)
        assert done.stdout == ""
        *_, error, line = done.stderr.splitlines()
        assert error.startswith("Error: "), done.stderr
        assert is_right(line, "UsageError")


@pytest.mark.parametrize(
    "words", [("explain", "IL999"), ("cache", "prune", "--all", "--data-folder", ".")]
)
def test_what_a_command_refuses_itself_is_explained(words: tuple[str, ...]) -> None:
    assert is_right(run(*words, status=2).stderr.splitlines()[-1], "UsageError")


@pytest.mark.parametrize("command", ["browse", "preview", "stats", "bench"])
def test_a_folder_without_images_is_explained(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path, status=1)
    assert is_right(done.stderr.splitlines()[-1], "InvalidArgumentError")


def test_a_refusal_of_the_system_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(import_module("imageloom._cli.replay"), "read_json", refused)
    (tmp_path / "state.json").touch()
    done = run("replay", tmp_path / "state.json", "--step", 1, status=1)
    assert is_right(done.stderr.splitlines()[-1], "StorageError")


def test_a_command_without_words_shows_its_help() -> None:
    done = run(status=2)
    assert "Examples:" in done.stderr
    assert "What to do" not in done.stderr

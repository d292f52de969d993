"""What surrounds the code keeps its word: commands exist, versions agree, the lock file is complete."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
LOCK = ROOT / "constraints" / "ci.txt"
CHANGES = ROOT / "changes"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = PYPROJECT["project"]
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
DOCUMENTS = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", CHANGES / "README.md",
    *sorted((ROOT / "docs" / "project").glob("*.md")),
]  # fmt: skip
# What `make` is told in a document or a workflow.
MAKE = re.compile(r"(?:^|[`\s])make ([^`\n#&|;]+)", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not GITHUB.exists(), reason="an unpacked distribution has nothing but the tests"
)


def read_yaml(path: Path) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tool(name: str) -> ModuleType:
    """A script of the folder `tools`, which is no package."""
    spec = spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Commands


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.MULTILINE))


def made_by(code: str) -> set[str]:
    """The targets in all calls of `make`."""
    words = [word for call in MAKE.findall(code) for word in shlex.split(call)]
    return {word for word in words if "=" not in word}


def code_of(path: Path) -> str:
    """What a document has in backticks or indented."""
    return "\n".join(re.findall(r"`[^`\n]+`|^ {4}.*$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_calls_of_make_are_found() -> None:
    code = (
        "`make test NEWEST=1`\n    make lint A='b c'  # so\ncd x && make a b-c=1 d && e\nmake\nremake f"
    )
    assert made_by(code) == {"test", "lint", "a", "d"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_targets_that_exist(path: Path) -> None:
    assert made_by(code_of(path)) <= targets()


def test_every_target_is_told_to_contributors() -> None:
    assert targets() <= made_by(code_of(ROOT / "docs" / "project" / "commands.md"))


def test_every_target_is_made_whatever_files_there_are() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = {
        name for line in re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE) for name in line.split()
    }
    assert phony == targets()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_make_targets_that_exist(path: Path) -> None:
    jobs = read_yaml(path)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    made = made_by("\n".join(step.get("run", "") for step in steps))
    assert made
    assert made <= targets()
    for job in jobs.values():
        assert "timeout-minutes" in job
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(jobs)


def test_workflows_use_one_version_of_each_action() -> None:
    used = re.findall(
        r"uses: (\S+)@(\S+)", "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    )
    assert len(set(used)) == len({action for action, _ in used})


def test_hooks_make_targets_that_exist() -> None:
    for repository in read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]:
        if repository["repo"] == "local":
            made = made_by("\n".join(hook["entry"] for hook in repository["hooks"]))
            assert made
            assert made <= targets()


# Files that others read


def test_dependabot_looks_where_versions_are() -> None:
    configuration = read_yaml(GITHUB / "dependabot.yml")
    assert configuration["version"] == 2
    places = {entry["package-ecosystem"]: entry["directory"] for entry in configuration["updates"]}
    assert places == {"github-actions": "/", "pip": f"/{LOCK.parent.name}"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_complete(path: Path) -> None:
    form = read_yaml(path)
    assert {"name", "description", "labels", "body"} == set(form)
    names = [field["id"] for field in form["body"]]
    assert len(set(names)) == len(names)
    for field in form["body"]:
        assert field["type"] in {"checkboxes", "dropdown", "input", "textarea"}
        assert field["attributes"]["label"]


def test_bug_reports_name_executors_that_exist() -> None:
    (field,) = [
        f for f in read_yaml(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"] if f["id"] == "executor"
    ]
    named = {option.partition(" ")[0] for option in field["attributes"]["options"]}
    arguments = (ROOT / "docs" / "arguments.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `executor` .*$", arguments, re.MULTILINE)
    assert {name for name in named if f'"{name}"' not in row} == set()


def test_the_citation_is_of_this_version() -> None:
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert PROJECT["license"].split(" AND ")[0] == citation["license"]  # of the program
    assert citation["keywords"] == PROJECT["keywords"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]


def test_there_is_one_address_of_this_project() -> None:
    home = PROJECT["urls"]["Homepage"]
    assert all(url == home or url.startswith(f"{home}/") for url in PROJECT["urls"].values())
    files = [*DOCUMENTS, ROOT / "CITATION.cff", *GITHUB.rglob("*.yml")]
    for path in files:
        for url in re.findall(
            r"https://github\.com/[\w./-]*imageloom[\w./-]*", path.read_text("utf-8")
        ):
            assert url.startswith(home), path


# The lock file


def constraints() -> list[Requirement]:
    lines = [line.partition("#")[0].strip() for line in LOCK.read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line]


def places() -> list[dict[str, str]]:
    """The environments that the file is for, as markers see them."""
    systems = {
        "linux": ("posix", "Linux", "x86_64"),
        "darwin": ("posix", "Darwin", "arm64"),
        "win32": ("nt", "Windows", "AMD64"),
    }
    return [
        {
            "python_version": python, "python_full_version": f"{python}.9", "sys_platform": system,
            "os_name": os_name, "platform_system": platform, "platform_machine": machine,
            "implementation_name": "cpython", "platform_python_implementation": "CPython",
        }
        for python in re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
        for system, (os_name, platform, machine) in systems.items()
    ]  # fmt: skip


def installed_by_the_makefile() -> list[Requirement]:
    groups = [need for group in PYPROJECT["dependency-groups"].values() for need in group]
    needs = [need for need in groups if isinstance(need, str) and not need.startswith("imageloom[")]
    needs += PROJECT["dependencies"] + PROJECT["optional-dependencies"]["docs"]
    needs += [*PYPROJECT["build-system"]["requires"], "pip>=25.1"]
    return [Requirement(need) for need in sorted(set(needs))]


def canonical(need: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", need.name).lower()


@pytest.mark.parametrize("need", installed_by_the_makefile(), ids=canonical)
def test_the_lock_file_fixes_what_is_installed(need: Requirement) -> None:
    locked = [constraint for constraint in constraints() if canonical(constraint) == canonical(need)]
    for place in places():
        if need.marker is not None and not need.marker.evaluate(place):
            continue
        here = [one for one in locked if one.marker is None or one.marker.evaluate(place)]
        assert len(here) == 1, f"run `make lock`: {len(here)} versions of {need.name} for {place}"
        version = str(here[0].specifier).removeprefix("==")
        assert need.specifier.contains(version, prereleases=True), f"run `make lock`: {need}"


def test_the_lock_file_is_good_for_every_machine() -> None:
    """Exact versions as every index has them, of which no environment gets two."""
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*(; [^/]+)?", line), (
            line
        )
    for place in places():
        here = [one.name for one in constraints() if one.marker is None or one.marker.evaluate(place)]
        assert len(set(here)) == len(here)


def test_the_lock_file_has_markers_only_where_versions_differ() -> None:
    lock = tool("lock")
    linux, mac = lock.Place("3.11", "linux"), lock.Place("3.11", "darwin")
    newer, newer_mac = lock.Place("3.12", "linux"), lock.Place("3.12", "darwin")
    found = {
        linux: {"same": "1", "by-python": "1", "by-system": "1", "by-both": "1", "here": "1"},
        mac: {"same": "1", "by-python": "1", "by-system": "2", "by-both": "2"},
        newer: {"same": "1", "by-python": "2", "by-system": "1", "by-both": "2"},
        newer_mac: {"same": "1", "by-python": "2", "by-system": "2", "by-both": "2"},
    }
    lines = lock.lines_of(found)
    plain = [line for line in lines if ";" not in line]
    assert plain == ["here==1", "same==1"]
    assert "by-python==2; python_version == '3.12'" in lines
    assert "by-system==2; sys_platform == 'darwin'" in lines
    for place, versions in found.items():
        environment = {"python_version": place.python, "sys_platform": place.system}
        needs = [Requirement(line) for line in lines]
        chosen = [one for one in needs if one.marker is None or one.marker.evaluate(environment)]
        assert {one.name: str(one.specifier)[2:] for one in chosen} == {"here": "1", **versions}


# Releases


def test_changes_are_named_as_the_changelog_needs_it() -> None:
    kinds = "|".join(PYPROJECT["tool"]["towncrier"]["fragment"])
    for path in CHANGES.iterdir():
        assert path.name == "README.md" or re.fullmatch(
            rf"(\+[a-z0-9-]+|\d+)\.({kinds})(\.\d+)?\.md", path.name
        ), path.name
    told = re.findall(r"`(\w+)`", (CHANGES / "README.md").read_text(encoding="utf-8"))
    assert set(PYPROJECT["tool"]["towncrier"]["fragment"]) <= set(told)


def test_sections_of_the_changelog_have_a_place() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    introduction, mark, sections = text.partition("<!-- towncrier release notes start -->\n")
    assert mark
    assert "\n## " not in introduction
    assert sections.lstrip().startswith("## ")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A project that can be released as 1.2.3."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n', encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\nWords.\n\n## [1.2.3] - 2030-01-31\n\n### Fixed\n\n- This.\n  ## No heading\n\n"
        "## [1.2.2] - 2029-01-31\n\n- That.\n",
        encoding="utf-8",
    )
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "README.md").write_text("How.", encoding="utf-8")
    return tmp_path


def test_the_notes_of_a_release_are_its_section(ready: Path) -> None:
    notes = tool("release_notes").notes_of(ready, "v1.2.3")
    assert notes == ("### Fixed\n\n- This.\n  ## No heading", [])


@pytest.mark.parametrize(
    ("file", "old", "new", "wrong"),
    [
        ("pyproject.toml", "1.2.3", "1.2.4", "v1.2.4"),
        ("CHANGELOG.md", "[1.2.3]", "[1.2.33]", "no section"),
        ("CHANGELOG.md", "2030-01-31", "soon", "no section"),
        ("CHANGELOG.md", "### Fixed\n\n- This.\n  ## No heading\n", "", "empty"),
        ("CHANGELOG.md", "## [1.2.2] - 2029-01-31", "## [Unreleased] - 1.2.3", "Unreleased"),
        ("changes/+more.fixed.md", "", "More.", r"\+more"),
    ],
)
def test_what_is_not_ready_for_a_release_is_told(
    ready: Path, file: str, old: str, new: str, wrong: str
) -> None:
    path = ready / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(text.replace(old, new), encoding="utf-8")
    problems = tool("release_notes").notes_of(ready, "v1.2.3")[1]
    assert re.search(wrong, "\n".join(problems))


def test_the_version_is_one_that_can_be_published() -> None:
    assert str(Version(PROJECT["version"])) == PROJECT["version"]

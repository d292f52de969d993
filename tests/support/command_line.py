"""The command line in this process."""

from __future__ import annotations

from inspect import signature

from click.testing import CliRunner, Result

from imageloom._cli import main


def run(*arguments: object, status: int = 0) -> Result:
    # Version 8.1 of click mixes both streams unless it is told not to, and 8.2 does not know the word.
    separate = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    result = CliRunner(**separate).invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.stdout + result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result

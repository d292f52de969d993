"""A module that programs load by its path."""

from typing import Any


def behind_a_form_feed(x: Any) -> Any:
    raise ValueError("in a module beside")  # an é in the line

"""What of a recipe travels to other processes, and what is said if it cannot."""

from __future__ import annotations

import dataclasses

from imageloom._errors import ArgumentTypeError
from imageloom._executors.packing import Packed
from imageloom._executors.portable import packed
from imageloom._pipeline.recipe import Recipe

__all__ = ["CannotTravel", "packed_recipe", "what_travels"]


class CannotTravel(ArgumentTypeError):
    """Something that the user's functions or plug-ins refer to cannot be sent to other processes."""


def packed_recipe(recipe: Recipe) -> Packed:
    """The recipe for `unpacked` in another process. Its large parts are not copied yet.

    Raises:
        CannotTravel: a function or a plug-in of the user, or an object that it refers to, cannot be
            sent.
    """
    try:
        travels = what_travels(recipe)
        # The user's functions come first: they are the same for many iterators.
        return packed((travels.user_code, travels.params.image_data_generator), travels)
    except Exception as error:
        raise CannotTravel(
            "A hook or a plug-in of Pillow, or what it refers to, cannot be sent to other processes "
            f"({type(error).__name__}: {error}). Create such objects (open files, database "
            'connections, video readers) inside the hook, or pass executor="threads".'
        ) from error


def what_travels(recipe: Recipe) -> Recipe:
    """The recipe without the generator if nothing in a worker asks for it.

    A generator of a user may keep large arrays, and all that their program consists of. Functions
    `f(x)` cannot see it.
    """
    code = recipe.user_code
    hooks = (code.hook, code.noaug_hook)  # a batch method has a generator of its own
    asked_for = any(hook is not None and hook.wants_params for hook in hooks)
    if code.overrides or code.batch_function is not None or asked_for:
        return recipe
    params = dataclasses.replace(
        recipe.params,
        image_data_generator=None,
        preprocessing_function=None,
        noaug_preprocessing_function=None,
        get_batch_function=None,
    )
    return dataclasses.replace(recipe, params=params)

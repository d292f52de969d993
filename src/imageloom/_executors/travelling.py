"""What of a recipe travels to other processes, and what is said if it cannot."""

from __future__ import annotations

import dataclasses
from typing import Final

from imageloom._errors import ArgumentTypeError
from imageloom._executors.importing import note_unimportable
from imageloom._executors.packing import Packed
from imageloom._executors.portable import packed
from imageloom._executors.state.knowledge import Knowledge
from imageloom._executors.state.snapshot import Snapshot
from imageloom._pipeline.recipe import Recipe

__all__ = ["CannotTravel", "obstacle", "packed_recipe", "what_travels"]

_MOST_KEPT: Final = 2**20  # bytes of a pickled recipe that are kept until workers are opened


class CannotTravel(ArgumentTypeError):
    """Something that the user's functions or plug-ins refer to cannot be sent to other processes."""


def obstacle(recipe: Recipe) -> CannotTravel | None:
    """What `packed_recipe` would raise; None if the recipe can travel. It is quicker."""
    try:
        sent = _sent(recipe)
    except CannotTravel as error:
        return error
    if isinstance(recipe.program, Snapshot) and sent.size <= _MOST_KEPT:
        recipe.program.sent = sent  # as of now, which is the first batch
    return None


def packed_recipe(recipe: Recipe) -> Packed:
    """The recipe, after what the program knew, for `received` in another process.

    Its large parts are not copied yet.

    Raises:
        CannotTravel: a function or a plug-in of the user, or an object that it refers to, cannot be
            sent.
    """
    program = recipe.program
    if not isinstance(program, Snapshot):
        return _sent(recipe)
    sent = program.sent or _sent(recipe)
    knowledge, unimportable = _knowledge(program, sent)
    while note_unimportable(unimportable):  # what they define has to be in the recipe itself
        sent = _sent(recipe)
        knowledge, unimportable = _knowledge(program, sent)
    return sent.behind(packed(knowledge))


def _knowledge(program: Snapshot, sent: Packed) -> tuple[Knowledge, frozenset[str]]:
    try:
        return program.knowledge(sent.pickles)
    except Exception as error:
        raise CannotTravel(
            "What the program has assigned to a module that a hook uses cannot be sent to other "
            f'processes ({type(error).__name__}: {error}). Pass executor="threads".'
        ) from error


def _sent(recipe: Recipe) -> Packed:
    try:
        travels = dataclasses.replace(what_travels(recipe), program=None)
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

"""The stages of computing a batch, whose names errors and reports show."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["STAGES", "USERS_STAGES", "Stage"]


class Stage(NamedTuple):
    """One stage in words.

    Attributes:
        activity: what is being done, for errors: "while ..., file 'a.png'".
        cost: what takes the time, for reports: "... takes most of it".
    """

    activity: str
    cost: str


STAGES: Final = {
    "fetch": Stage("fetching the image", "waiting for the storage of remote files"),
    "read": Stage("reading the image", "reading and decoding the images"),
    "noaug_hook": Stage("running noaug_preprocessing_function", "noaug_preprocessing_function"),
    "transform": Stage("transforming the image", "the random transforms"),
    "hook": Stage("running preprocessing_function", "preprocessing_function"),
    "standardize": Stage("standardizing the image", "normalising"),
    "batch_function": Stage("running get_batch_function", "get_batch_function"),
    "save": Stage("saving the image", "saving images (save_to_dir)"),
    "finish": Stage("finishing the batch", "finishing the batch"),
}
# In which a function of the user runs, and little else.
USERS_STAGES: Final = frozenset({"noaug_hook", "hook", "batch_function"})

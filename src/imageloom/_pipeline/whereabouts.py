"""Where the work on a batch is: the stage, the sample and the file; the time that stages took.

Errors and reports use this. It is updated several times for each image, so it does nothing but
note numbers and read the clock.
"""

from __future__ import annotations

import time
from typing import Final

from imageloom._errors import in_one_line
from imageloom._pipeline.recipe import BatchTask
from imageloom._pipeline.stages import STAGES
from imageloom._pipeline.timing import StageClock

__all__ = ["Whereabouts"]

_MOST_NAMES: Final = 3


class Whereabouts:
    """The place of the work on one batch.

    Attributes:
        sample: The sample of the batch.
        part: The image of the sample, where samples are tuples of images.
        mask: The mask of the sample; -1 while the work is on an image.
        stage: The current stage.
        clock: When each stage so far was, without the current one.
    """

    def __init__(self, task: BatchTask, *, whole_batch: bool) -> None:
        """Starts with the first sample; `whole_batch` says that a function computes all at once."""
        self.sample = 0
        self.part = 0
        self.mask = -1
        self.stage = "read"
        self.clock = clock = StageClock()
        self._note_end, self._note_name = clock.note_end, clock.note_name
        self._task = task
        self._whole_batch = whole_batch

    def enter(self, stage: str) -> None:
        """Begins a stage; the time since the last call belongs to the stage before."""
        self._note_end(time.perf_counter())
        self._note_name(self.stage)
        self.stage = stage

    def filename(self) -> str | None:
        """The file of the image or mask; None for images out of an array."""
        if self.mask >= 0:
            return self._task.masks[self.sample][self.mask]
        if not self._task.filenames:
            return None
        name = self._task.filenames[self.sample]
        return name if isinstance(name, str) else name[self.part]

    def name(self) -> str:
        """The image or mask in words."""
        filename = self.filename()
        if filename is not None:
            return f"file {filename!r}"
        if len(self._task) == 0:
            return "no image"
        return f"image {self._task.spec.indices[self.sample]}"

    def place(self) -> str:
        """The file in words, or the first ones of a batch that is computed at once."""
        position = self._task.spec.position
        if not self._whole_batch:
            return f"{self.name()} (sample {self.sample} of the batch at position {position})"
        names = [in_one_line(str(name)) for name in self._task.filenames[:_MOST_NAMES]]
        rest = len(self._task.filenames) - len(names)
        more = f" and {rest} more" if rest else ""
        return f"files {', '.join(names)}{more} (the batch at position {position})"

    def note(self) -> str:
        """The stage and the file in words, as a note for an exception."""
        position = self._task.spec.position
        if self._whole_batch:
            files = ", ".join(in_one_line(str(name)) for name in self._task.filenames)
            what = f"files {files} (the batch at position {position})"
        else:
            what = self.place()
        return f"imageloom: while {STAGES[self.stage].activity}, {what}"

"""The samples of any position of a stream, past or to come, beside those that are being read."""

from __future__ import annotations

from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec
from imageloom._stream.order import Sampler, SamplesChangedError, StreamOrder

__all__ = ["PastOrder"]


class PastOrder:
    """Has a sampler of its own, so that the orders of the epochs in use stay in theirs."""

    def __init__(self, order: StreamOrder) -> None:
        """`order` is that of the iterator."""
        self._order = order
        self._samplers: tuple[Sampler, Sampler] | None = None

    def spec(self, position: int) -> BatchSpec:
        """The samples and the seed of a position.

        Raises:
            InvalidArgumentError: a user's class changes the number of samples with every epoch.
        """
        current = self._order.sampler()
        if current.knows(position):  # a user's class may draw another order when it is asked again
            return current.spec(position)
        if self._samplers is None or self._samplers[0] is not current:
            own = self._order.sampler_from(self._order.shift, self._order.rest)
            self._samplers = current, own
        try:
            return self._samplers[1].spec(position)
        except SamplesChangedError as error:
            raise InvalidArgumentError(
                "The samples of this position are not known, because `_set_index_array` of your class "
                f"changes the number of samples (to {error.samples} there): read its epoch with `next`."
            ) from error

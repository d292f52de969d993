"""Takes an iterator's twin apart for its way to another process, and puts it together there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imageloom._api.iterators.inline import InlineBatches
from imageloom._api.iterators.plans import IteratorPlan
from imageloom._stream.order import OrderOptions, StreamOrder

__all__ = ["parts_of"]


def parts_of(generator: Any, twin: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function that makes a twin, and its arguments.

    Args:
        generator: the frozen generator, which arrives in the place of the iterator's own one.
        twin: an object of the user's class without workers.
    """
    order: StreamOrder = twin._order
    attributes = dict(vars(twin))
    if "image_data_generator" in attributes:
        attributes["image_data_generator"] = generator
    numbers = (order.samples, order.batch_size, order.options)
    return _put_together, (type(twin), attributes, twin._plan, numbers, twin._inline)


def _put_together(
    kind: type,
    attributes: dict[str, Any],
    plan: IteratorPlan,
    numbers: tuple[int, int, OrderOptions],
    inline: InlineBatches,
) -> Any:
    samples, batch_size, options = numbers
    twin: Any = object.__new__(kind)
    vars(twin).update(attributes)
    order = StreamOrder(plan.source, batch_size, options)
    order.set_samples(samples)
    twin._plan, twin._order, twin._inline, twin._own_generator = plan, order, inline, None
    return twin

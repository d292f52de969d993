"""The line that says how many images a flow method has found, as Keras prints it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from imageloom._adapters.keras import prints_messages
from imageloom._log import check_verbose, logger, tells_news

__all__ = ["announce"]


def announce(message: str, verbose: Any) -> None:
    """Prints a line; if that is switched off, the logger has it.

    It is switched off by `verbose`, by `set_verbosity`, and by Keras' own switch
    `keras.config.disable_interactive_logging`, with which Keras gives this line to a logger, too.

    Raises:
        InvalidArgumentError, ArgumentTypeError: `verbose` is not allowed.
    """
    wanted = check_verbose(verbose)
    if wanted and tells_news() and prints_messages():
        print(message, file=sys.stdout)
        return
    logger.log(logging.INFO if wanted else logging.DEBUG, "%s", message)

"""Draws a report: for each epoch a bar of the model's time, and a bar of the stages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from imageloom._pipeline.stages import STAGES
from imageloom._stream.reporting.figures import Figures

if TYPE_CHECKING:
    from imageloom._stream.reporting.report import Report

__all__ = ["drawn"]

Colour = tuple[int, int, int]

_EPOCHS_SHOWN: Final = 20
_WIDTH: Final = 960
_MARGIN: Final = 20
_LEFT: Final = 110  # where bars begin
_RIGHT: Final = 70  # room behind them
_BAR: Final = 16
_STEP: Final = 2 * _BAR + 14
_LINE: Final = 22
_FONT_SIZE: Final = 14
_TICKS: Final = 5  # or up to twice as many
_PAPER: Final[Colour] = (255, 255, 255)
_INK: Final[Colour] = (40, 40, 40)
_FAINT: Final[Colour] = (225, 225, 225)
_OWN: Final[Colour] = (150, 150, 150)
_WAITING: Final[Colour] = (213, 94, 0)
# Colours that people with a colour blindness can tell apart (Okabe and Ito), then two greys.
_COLOURS: Final[Sequence[Colour]] = (
    (0, 114, 178), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167), (230, 159, 0),
    (120, 94, 240), (90, 90, 90), (190, 190, 120),
)  # fmt: skip
_STAGE_COLOURS: Final = dict(zip(STAGES, _COLOURS, strict=True))


def drawn(report: Report) -> Image.Image:
    """The picture, 960 pixels wide."""
    font = ImageFont.load_default(_FONT_SIZE)
    bars = [(f"epoch {epoch.epoch}", epoch) for epoch in report.epochs[-_EPOCHS_SHOWN:]]
    legend = list(_legend(report))
    sentence = _wrapped(report.verdict, font)
    top = _MARGIN + _LINE * (len(sentence) + -(-len(legend) // 2)) + 10
    image = Image.new("RGB", (_WIDTH, top + _STEP * len(bars) + 2 * _LINE + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(image)
    for line, text in enumerate(sentence):
        pen.text((_MARGIN, _MARGIN + _LINE * line), text, _INK, font)
    for number, (text, colour) in enumerate(legend):
        x = _MARGIN + (number % 2) * (_WIDTH // 2)
        y = _MARGIN + _LINE * (len(sentence) + number // 2) + 4
        pen.rectangle((x, y, x + 12, y + 12), colour)
        pen.text((x + 20, y - 3), text, _INK, font)
    longest = max((_length(epoch) for _, epoch in bars), default=0.0) or 1.0
    _axis(pen, font, longest, (top, top + _STEP * len(bars)))
    for number, (name, epoch) in enumerate(bars):
        y = top + _STEP * number
        pen.text((_MARGIN, y + _BAR - 8), name, _INK, font)
        _bar(pen, y, longest, _of_the_model(epoch))
        _bar(pen, y + _BAR, longest, _of_the_workers(epoch))
    return image


def _length(epoch: Figures) -> float:
    return max(epoch.seconds, epoch.worker_seconds / max(1, epoch.workers))


def _legend(report: Report) -> Iterator[tuple[str, Colour]]:
    yield "the model (upper bar)", _OWN
    yield "waiting for data (upper bar)", _WAITING
    for name in sorted(report.stages, key=lambda name: -report.stages[name]):
        yield f"{STAGES[name].cost} (lower bar)", _STAGE_COLOURS[name]


def _of_the_model(epoch: Figures) -> Iterator[tuple[float, Colour]]:
    waited = epoch.waiting_share * epoch.seconds
    yield epoch.seconds - waited, _OWN
    yield waited, _WAITING


def _of_the_workers(epoch: Figures) -> Iterator[tuple[float, Colour]]:
    for name, seconds in sorted(epoch.stages.items(), key=lambda item: -item[1]):
        yield seconds / max(1, epoch.workers), _STAGE_COLOURS[name]


def _bar(
    pen: ImageDraw.ImageDraw, y: int, longest: float, parts: Iterator[tuple[float, Colour]]
) -> None:
    x = float(_LEFT)
    for seconds, colour in parts:
        width = (_WIDTH - _LEFT - _RIGHT) * seconds / longest
        end = min(x + width, _WIDTH - _MARGIN)
        if end >= x + 1:
            pen.rectangle((x, y, end - 1, y + _BAR - 2), colour)
        x += width


def _axis(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, longest: float,
    between: tuple[int, int],
) -> None:  # fmt: skip
    magnitude = 10.0 ** math.floor(math.log10(longest))
    step = next(
        magnitude * part for part in (0.1, 0.2, 0.5, 1) if longest <= _TICKS * magnitude * part * 2
    )
    for tick in range(int(longest / step) + 1):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * tick * step / longest
        pen.line((x, between[0] - 4, x, between[1]), _FAINT)
        text = f"{tick * step:.3g} s"
        pen.text((x - pen.textlength(text, font) / 2, between[1] + 4), text, _INK, font)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= _WIDTH - 2 * _MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines

"""The cursor of a stream, alone: random walks beside a model that only knows what was asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imageloom._stream.cursor import Cursor

LENGTHS = st.integers(1, 6)


@given(LENGTHS, st.integers(0, 30))
def test_steps_count_up(length: int, steps: int) -> None:
    cursor = Cursor(length)
    assert [cursor.step() for _ in range(steps)] == list(range(steps))
    assert cursor.position == steps
    assert (cursor.epoch, cursor.batch_index) == divmod(steps, length)
    assert cursor.pass_start == cursor.epoch_start == cursor.epoch * length
    assert cursor.handed_out == set(range(cursor.batch_index)), "of this epoch alone"


@given(LENGTHS, st.data())
def test_a_pass_is_finished_when_all_were_asked_for(length: int, data: st.DataObject) -> None:
    cursor = Cursor(length)
    cursor.jump(data.draw(st.integers(0, 20)))
    start = cursor.pass_start
    asked = data.draw(st.lists(st.integers(0, length - 1), max_size=12))
    furthest = -1
    in_order = True
    for index in asked:
        assert cursor.ask(index) == start + index
        in_order &= index <= furthest + 1
        furthest = max(furthest, index)
        assert cursor.position == start, "asking moves nothing"
    assert cursor.finished == (set(asked) == set(range(length)))
    assert cursor.untouched == (not asked)
    assert (cursor.in_order, cursor.furthest) == (in_order, furthest)


@given(LENGTHS, st.integers(0, 20), st.integers(0, 3))
def test_the_next_pass_begins_where_this_one_ends(length: int, place: int, epochs: int) -> None:
    cursor = Cursor(length)
    cursor.jump(place)
    cursor.ask(0)
    cursor.epochs_ahead = 2
    cursor.advance(epochs)
    assert cursor.position == cursor.pass_start == place + epochs * length
    assert cursor == Cursor(length, cursor.position, cursor.position), "all else is forgotten"


@given(LENGTHS, st.integers(0, 20))
def test_rewinding_goes_to_the_start_of_the_epoch(length: int, steps: int) -> None:
    cursor = Cursor(length)
    for _ in range(steps):
        cursor.step()
    cursor.rewind()
    assert cursor.position == cursor.pass_start == steps // length * length
    assert cursor.untouched


@given(LENGTHS, LENGTHS, st.integers(0, 20), st.data())
def test_another_length_keeps_the_epoch(
    length: int, other: int, steps: int, data: st.DataObject
) -> None:
    cursor = Cursor(length)
    for _ in range(steps):
        cursor.step()
    epoch, handed_out = cursor.epoch, set(cursor.handed_out)
    batch = data.draw(st.integers(0, other - 1))
    cursor.place(epoch, batch, other)
    assert (cursor.epoch, cursor.batch_index, cursor.length) == (epoch, batch, other)
    assert cursor.pass_start == cursor.epoch_start
    assert cursor.handed_out == {index for index in handed_out if index < other}


def test_an_empty_data_set_has_a_place_too() -> None:
    cursor = Cursor(0)
    assert (cursor.epoch, cursor.batch_index, cursor.finished) == (0, 0, True)
    assert cursor.step() == 0
    cursor.rewind()
    assert cursor.pass_start == 0

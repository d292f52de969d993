from __future__ import annotations

import copy
import inspect
import pickle

import PIL.Image
import pytest

import imageloom
from imageloom import _errors as errors
from imageloom._errors import ImageLoomError, WorkerError
from imageloom._imaging import decode as images

BUILT_IN: dict[str, tuple[type[Exception], ...]] = {
    "ArgumentTypeError": (TypeError,),
    "BadImageError": (OSError,),
    "BadSamplesError": (errors.BadImageError,),
    "BatchIndexError": (ValueError, IndexError),
    "BatchMemoryError": (OSError,),
    "BatchShapeError": (ValueError,),
    "BatchTimeoutError": (TimeoutError,),
    "DecompressionBombError": (PIL.Image.DecompressionBombError, OSError, errors.BadImageError),
    "ImageLoomError": (Exception,),
    "InvalidArgumentError": (ValueError,),
    "IteratorClosedError": (RuntimeError,),
    "MissingColumnError": (KeyError, ValueError),
    "MissingDependencyError": (ImportError,),
    "MissingDirectoryError": (FileNotFoundError,),
    "MissingFileError": (FileNotFoundError,),
    "MissingImageError": (FileNotFoundError, errors.BadImageError),
    "StateMismatchError": (ValueError,),
    "StorageError": (OSError,),
    "UnidentifiedImageError": (PIL.UnidentifiedImageError, OSError, errors.BadImageError),
    "WorkerDiedError": (RuntimeError,),
    "WorkerError": (RuntimeError,),
    "WorkerStartError": (RuntimeError,),
}


def error_classes() -> dict[str, type[ImageLoomError]]:
    """All of the package, wherever they are defined."""
    return {
        name: value
        for module in (errors, images)
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, ImageLoomError)
    }


def test_no_error_class_was_forgotten() -> None:
    assert set(error_classes()) == set(BUILT_IN)
    classes = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert classes == set(BUILT_IN) - {"DecompressionBombError", "UnidentifiedImageError"}
    assert set(BUILT_IN) <= set(imageloom.__all__)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_error_is_ours_and_the_one_that_keras_users_catch(name: str) -> None:
    kind = getattr(imageloom, name)
    assert issubclass(kind, ImageLoomError)
    assert issubclass(kind, BUILT_IN[name])
    assert kind.__doc__
    assert name in (errors.__doc__ or "")


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_error_survives_pickling_and_copying(name: str) -> None:
    error = getattr(imageloom, name)("what was wrong with 'a.png'")
    error.add_note("while reading")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error) == "what was wrong with 'a.png'"
        assert twin.args == error.args
        assert twin.__notes__ == error.__notes__
        assert twin.__notes__[0] == "while reading"
        assert len(twin.__notes__) == 2, "the other one says where it is explained"


def test_a_worker_error_keeps_both_its_parts() -> None:
    error = pickle.loads(pickle.dumps(WorkerError("reading 'a.png' failed", "Traceback: ...")))
    assert (error.summary, error.worker_traceback) == ("reading 'a.png' failed", "Traceback: ...")
    assert "reading 'a.png' failed" in str(error)
    assert "Traceback: ..." in str(error)


@pytest.mark.frameworks("keras")  # one of them is a class of Keras'
def test_all_public_names_are_there_and_listed() -> None:
    assert len(imageloom.__all__) == len(set(imageloom.__all__))
    for name in imageloom.__all__:
        assert getattr(imageloom, name).__name__  # each is a class or a function
    assert set(imageloom.__all__) <= set(dir(imageloom))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = imageloom.nothing_of_the_kind


@pytest.mark.frameworks("keras")
def test_every_public_name_has_a_docstring() -> None:
    for name in imageloom.__all__:
        assert (getattr(imageloom, name).__doc__ or "").strip(), name

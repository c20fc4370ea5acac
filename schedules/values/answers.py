"""What a host answers, looked at once, where it comes in: is it what was asked for, and will asking later help?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, TypeVar

from schedules.database.transient import is_of_database, is_transient
from schedules.exceptions import ConfigurationError, HostError
from schedules.values.remote import NAMED_LATER, is_later, names_of
from schedules.values.text import without_addresses
from schedules.values.typed import shown

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: What a mapping is to hold, in words, and what is wrong with the value of a key; empty: nothing.
Shape = tuple[str, Callable[[Any, Any], str]]

#: An `OSError` that is no connection: no waiting brings a file or a right.
_MISTAKES = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


class Question:
    """A question to a host, which knows by what name it is asked, whatever function answers."""

    def __init__(self, host: object, method: str) -> None:
        self._answer = getattr(host, method)
        self.name = f"{type(host).__name__}.{method}"

    def __call__(self, *asked: Any) -> Any:
        return self._answer(*asked)


class BadAnswerError(HostError):
    """A host answered what it must not: `faults` says it of each key that is concerned, `values` are the others'."""

    def __init__(self, values: Mapping[Any, Any], faults: Mapping[Any, str]) -> None:
        super().__init__(next(iter(faults.values()), ""))
        self.values = values
        self.faults = faults


def is_outage(error: BaseException) -> bool:
    """Whether waiting can mend what a host raised: a connection, a timeout, its database; also as a cause.

    What the host says itself, by a `HostError`, holds.
    """
    if isinstance(error, HostError | ConfigurationError):
        return isinstance(error, HostError) and error.is_temporary
    if is_of_database(error):
        return is_transient(error)
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_outage, error.exceptions))
    if (answer := is_later(error)) is not None:
        return answer
    is_connections = isinstance(error, OSError | EOFError) and not isinstance(error, _MISTAKES)
    if is_connections or NAMED_LATER.search(names_of(error)):
        return True
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return cause is not None and is_outage(cause)


@contextmanager
def outages_as_host_errors(question: Callable[..., Any]) -> Iterator[None]:
    """Raises a temporary `HostError` that names the question, where the host is away for a while."""
    try:
        yield
    except HostError:
        raise
    except Exception as error:
        if not is_outage(error):
            raise
        line = f"{name_of(question)} cannot answer now ({type(error).__name__})."
        raise HostError(line, is_temporary=True) from None


def name_of(question: Callable[..., Any]) -> str:
    """Such as `LmsHost.learners`, of a `Question`."""
    return question.name if isinstance(question, Question) else getattr(question, "__name__", "a question")


def mapping(
    question: Callable[[Collection[K]], Any],
    keys: Collection[K],
    allowed: str,
    fault_of: Callable[[K, Any], str],
) -> dict[K, Any]:
    """Ask for a mapping of `keys`, of a `Shape`. Raises `BadAnswerError` for wrong values and a wrong whole answer."""
    with outages_as_host_errors(question):
        answer = question(keys)
        whole = dict(answer) if isinstance(answer, Mapping) else None
    if whole is None:
        raise _whole_answer(question, keys, f"answered {what(answer)}; give a mapping of keys to {allowed}")
    asked = set(keys)
    strangers = [key for key in whole if key not in asked]
    if strangers:
        raise _whole_answer(question, keys, f"answered for the key {_key(strangers[0])}, which was not asked for")
    faults = {key: fault for key, value in whole.items() if (fault := fault_of(key, value))}
    if faults:
        lines = {key: f"{name_of(question)}, asked for {shown(key)}, answered {fault}" for key, fault in faults.items()}
        raise BadAnswerError({key: value for key, value in whole.items() if key not in faults}, lines)
    return whole


def values_of(cls: type, *key_fields: str) -> Shape:
    """For `mapping()`: values of one class, each of which says by `key_fields`, if any, whose it is."""
    own_key = attrgetter(*key_fields) if key_fields else None

    def fault_of(key: Any, value: Any) -> str:
        if not isinstance(value, cls):
            return f"{what(value)}; give a {cls.__name__}, or leave the key out."
        if own_key is not None and own_key(value) != key:
            return f"the {cls.__name__} of {shown(own_key(value))}; give each key its own."
        return ""

    return f"{cls.__name__} values", fault_of


def sequences_of(cls: type) -> Shape:
    """For `mapping()`: a sequence of values of one class."""

    def fault_of(_key: Any, value: Any) -> str:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return f"{what(value)}; give a list or tuple of {cls.__name__} values."
        wrong = [item for item in value if not isinstance(item, cls)]
        return f"a list with {what(wrong[0])}; give {cls.__name__} values alone." if wrong else ""

    return f"lists of {cls.__name__} values", fault_of


def some_of(question: Callable[[Collection[K]], Any], keys: Collection[K]) -> frozenset[K]:
    """Ask which of `keys` it is true of. Raises `BadAnswerError` for what is no collection of some of them."""
    with outages_as_host_errors(question):
        answer = question(keys)
        is_collection = isinstance(answer, Iterable) and not isinstance(answer, str | bytes | Mapping)
        found = list(answer) if is_collection else []
    if not is_collection:
        raise _whole_answer(question, keys, f"answered {what(answer)}; give a collection of keys")
    asked = set(keys)
    strangers = [key for key in found if not (isinstance(key, Hashable) and key in asked)]
    if strangers:
        raise _whole_answer(question, keys, f"answered {_key(strangers[0])}, which was not asked for")
    return frozenset(found)


def single(question: Callable[..., Any], *arguments: Any) -> Any:
    """Ask once, as a whole. Raises `HostError` whatever the host raises, but for a `ConfigurationError`."""
    try:
        with outages_as_host_errors(question):
            return question(*arguments)
    except (ConfigurationError, HostError):
        raise
    except Exception as error:  # noqa: BLE001 - a host may raise anything
        raise HostError(f"The host failed at {name_of(question)}: {type(error).__name__}.") from None


def wrong(question: Question, asked: str, answered: str, allowed: str) -> str:
    """The line about an answer to a question that is no bulk one."""
    return f"{question.name}({asked}) answered {answered}; give {allowed}."


def _whole_answer(question: Callable[..., Any], keys: Collection[Any], fault: str) -> BadAnswerError:
    asked = f"{len(keys)} keys" if len(keys) > 1 else f"the key {shown(next(iter(keys)))}" if keys else "no keys"
    line = f"{name_of(question)}, asked for {asked}, {fault}."
    return BadAnswerError({}, dict.fromkeys(keys, line) or {None: line})


def _key(key: Any) -> str:
    """A key that nobody asked for may be anything, an address too."""
    return without_addresses(shown(key))


def what(value: Any) -> str:
    """What came, by its class: the value itself may be about a person."""
    return "None" if value is None else f"a value of class {type(value).__name__}"

"""Errors of the native library as exceptions."""

from __future__ import annotations


class SliceSegError(Exception):
    """An error with what a person reads and a program acts on.

    Attributes:
        code: The kind, such as ``volume.truncated``, which stays from version to version.
        path: The file that it is about, or ``None``.
        problem: The sentence without its next step.
        next_step: The next step, or ``None`` where none is known.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        path: str | None = None,
        problem: str | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.problem = problem if problem is not None else message
        self.next_step = next_step

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions travel between processes.
        return (_restored, (type(self), str(self), self.__dict__.copy()))


class UsageError(SliceSegError, ValueError):
    """An argument that cannot be met, such as a plane that the model does not have."""


class StoppedError(SliceSegError):
    """The progress function asked to stop by returning a true value."""


def _restored(
    kind: type[SliceSegError], message: str, members: dict[str, object]
) -> SliceSegError:
    error = kind(message, code="")
    error.__dict__.update(members)
    return error

"""The one exception that users see, and how errors of libraries are quoted in it."""


class UserError(Exception):
    """A fault of the user's or of the input, shown without a traceback: what, where and what to do."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""The one exception type for the user's faults, and the text of other errors that it quotes."""


class UserError(Exception):
    """A fault in the input or in how the tool is used. Its message says what, where and what to do; no traceback."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the name of its type if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

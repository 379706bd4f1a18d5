"""The one exception that users see."""


class UserError(Exception):
    """A fault of the user's or of the input, shown without a traceback: what, where and what to do."""

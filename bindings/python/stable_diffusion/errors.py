"""What can go wrong. Every message says what happened, why, and what to do."""


class Error(RuntimeError):
    """Base of every error that the engine reports on purpose."""


class UsageError(Error, ValueError):
    """A value, a picture or a combination of them that cannot be used."""


class LoadError(Error):
    """A model file cannot be read, is not what it should be, or lacks something."""


class OutOfMemory(Error, MemoryError):
    """The request needs more memory than the limit or the machine gives."""


class Cancelled(Error):
    """The work was stopped."""


class DeviceError(Error, OSError):
    """The disk or the operating system refused (disk full, no permission)."""


class InternalError(Error):
    """A defect of Mezzotint itself."""

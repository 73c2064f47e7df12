"""Every error that the control plane raises on purpose. Messages are for people."""

from __future__ import annotations


class ControlPlaneError(Exception):
    """Something that the control plane refuses or cannot do; the text says what to do about it."""


class NotFound(ControlPlaneError):
    """Something was asked for that does not exist."""


class Conflict(ControlPlaneError):
    """What was asked for contradicts what is there."""


class Refused(ControlPlaneError):
    """What was asked for makes no sense, or is not allowed."""


class RunRefused(Refused):
    """A run was asked for that must not start."""


class DagRefused(Refused):
    """A DAG was pushed that this control plane cannot run as it was written."""


class SettingInvalid(ControlPlaneError):
    """What an operator set makes no sense."""


class DatabaseUnusable(ControlPlaneError):
    """The state file cannot be used by this version of leoflow."""


class NotLeading(ControlPlaneError):
    """Another process leads, or may; what was asked for has to be asked of that one."""


class SchedulerFailed(ControlPlaneError):
    """What decides about runs cannot go on in this process; a memory read anew may."""


class IllegalTransition(ControlPlaneError):
    """A state was to be changed in a way that the model does not have."""


class Unauthorized(ControlPlaneError):
    """A token is unknown, or bound to another agent."""


class Stale(ControlPlaneError):
    """A report came from a try that is over."""


class SecretMissing(ControlPlaneError):
    """A try declares a variable or connection that is not there any more."""


class LaunchFailed(ControlPlaneError):
    """A try could not be started. ``transient``: the same launch may work a moment later."""

    def __init__(self, reason: str, *, transient: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient


class ExecutorUnusable(ControlPlaneError):
    """The place where tries are to run cannot be reached or used at all."""

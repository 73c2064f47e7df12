"""User code bends the interpreter that it shares with a part of the agent."""

import builtins
import os
import signal
import sys
import time

from leoflow import task


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("this has no text")


class Nameless(type):
    @property
    def __name__(cls):
        raise RuntimeError("this has no name")


@task
def raises_what_cannot_be_printed():
    raise Unspeakable


@task
def raises_a_lone_surrogate():
    raise ValueError("half a pair: \ud83d")


@task
def prints_a_lone_surrogate():
    print("half a pair: \ud83d")


@task
def returns_a_lone_surrogate():
    return "half a pair: \ud83d"


@task
def raises_a_megabyte():
    raise ValueError("x" * 2**20)


@task
def raises_null_and_control_characters():
    raise ValueError("a\x00b\x1bc")


@task
def recurses_without_end():
    recurses_without_end.function()


@task
def recurses_into_the_stack():
    sys.setrecursionlimit(2**31 - 1)

    class Deep:
        def __repr__(self):
            return repr(self)

    def dive(depth):
        return repr([depth]) + str(sorted([1], key=lambda _: dive(depth + 1)))

    dive(0)


@task
def lowers_the_recursion_limit():
    sys.setrecursionlimit(40)
    return "returned"


@task
def forgets_every_module():
    sys.path.clear()
    sys.modules.clear()
    return "returned"


@task
def forgets_every_module_and_fails():
    sys.path.clear()
    sys.modules.clear()
    raise ValueError("where am I")


@task
def goes_to_a_folder_that_vanishes():
    os.mkdir("/tmp/gone")
    os.chdir("/tmp/gone")
    os.rmdir("/tmp/gone")
    raise ValueError("nowhere")


@task
def replaces_builtins():
    builtins.len = builtins.isinstance = builtins.str = builtins.print = None
    return "returned"


@task
def replaces_signal_handlers():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o777)
    os.setpgid(0, 0) if os.getpgrp() != os.getpid() else None
    return "returned"


@task
def traces_every_line():
    sys.settrace(lambda *_: 1 / 0)
    return "returned"


@task
def raises_keyboard_interrupt():
    raise KeyboardInterrupt


@task
def raises_generator_exit():
    raise GeneratorExit("odd")


@task(execution_timeout_seconds=1)
def swallows_what_would_end_it():
    while True:
        try:
            time.sleep(600)
        except BaseException:
            print("not now", flush=True)


TASKS = (
    raises_what_cannot_be_printed,
    raises_a_lone_surrogate,
    prints_a_lone_surrogate,
    returns_a_lone_surrogate,
    raises_a_megabyte,
    raises_null_and_control_characters,
    recurses_without_end,
    recurses_into_the_stack,
    lowers_the_recursion_limit,
    forgets_every_module,
    forgets_every_module_and_fails,
    goes_to_a_folder_that_vanishes,
    replaces_builtins,
    replaces_signal_handlers,
    traces_every_line,
    raises_keyboard_interrupt,
    raises_generator_exit,
    swallows_what_would_end_it,
)

"""User code ends its process itself."""

import atexit
import ctypes
import os
import sys
import threading
import time

from leoflow import task


@task
def segfaults():
    print("before the fall")
    ctypes.string_at(0)


@task
def aborts():
    os.abort()


@task
def leaves_hard_with_0():
    print("said and lost", end="")
    os._exit(0)


@task
def leaves_hard_with_5():
    os._exit(5)


@task
def leaves_hard_with_137():
    os._exit(137)


@task
def exits_with_nothing():
    sys.exit()


@task
def exits_with_7():
    sys.exit(7)


@task
def exits_with_99():
    sys.exit(99)


@task
def exits_with_125():
    sys.exit(125)


@task
def exits_with_true():
    sys.exit(True)


@task
def exits_with_false():
    sys.exit(False)


@task
def exits_with_minus_1():
    sys.exit(-1)


@task
def exits_with_256():
    sys.exit(256)


@task
def exits_with_more_digits_than_python_prints():
    sys.exit(10**5000)


@task
def exits_with_text():
    sys.exit("no more wood")


@task
def exits_with_zero_point_zero():
    sys.exit(0.0)


@task
def exits_in_a_thread():
    one = threading.Thread(target=sys.exit, args=(3,))
    one.start()
    one.join()
    return "went on"


@task
def exits_at_exit():
    atexit.register(sys.exit, 3)
    return "returned"


@task
def fails_at_exit():
    atexit.register(lambda: 1 / 0)
    return "returned"


@task
def leaves_hard_at_exit():
    atexit.register(os._exit, 3)
    return "returned"


@task
def leaves_a_thread_behind():
    def finish():
        time.sleep(0.5)
        print("the thread has ended")

    threading.Thread(target=finish).start()
    return "returned"


@task
def leaves_a_daemon_thread_behind():
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return "returned"


@task
def leaves_twice_by_fork():
    """The forked process comes back into the agent's code, which must not take it for the task."""
    if os.fork() == 0:
        return "the copy"
    os.wait()
    time.sleep(0.2)
    os.kill(os.getpid(), 9)


@task
def copy_of_the_task_fails():
    if os.fork() == 0:
        raise ValueError("raised in the copy")
    os.wait()
    return "the task itself"


TASKS = (
    segfaults,
    aborts,
    leaves_hard_with_0,
    leaves_hard_with_5,
    leaves_hard_with_137,
    exits_with_nothing,
    exits_with_7,
    exits_with_99,
    exits_with_125,
    exits_with_true,
    exits_with_false,
    exits_with_minus_1,
    exits_with_256,
    exits_with_more_digits_than_python_prints,
    exits_with_text,
    exits_with_zero_point_zero,
    exits_in_a_thread,
    exits_at_exit,
    fails_at_exit,
    leaves_hard_at_exit,
    leaves_a_thread_behind,
    leaves_a_daemon_thread_behind,
    leaves_twice_by_fork,
    copy_of_the_task_fails,
)

"""User code closes or replaces what it inherited."""

import io
import os
import resource
import sys

from leoflow import task


@task
def closes_descriptors_1_and_2():
    print("printed before")
    os.close(1)
    os.close(2)
    return "returned"


@task
def closes_stdout():
    sys.stdout.close()
    return "returned"


@task
def closes_stdout_and_prints():
    sys.stdout.close()
    print("nobody hears this")


@task
def has_no_stdout():
    sys.stdout = sys.stderr = None
    return "returned"


@task
def has_no_stderr_and_fails():
    sys.stdout = sys.stderr = None
    raise ValueError("unseen")


@task
def replaces_stdout():
    sys.stdout = io.StringIO()
    print("kept by the task")
    return sys.stdout.getvalue()


@task
def sends_descriptor_1_elsewhere():
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    print("gone")
    return "returned"


@task
def closes_every_descriptor():
    os.closerange(3, 1000)
    return "the result"


@task
def closes_every_descriptor_and_fails():
    os.closerange(0, 1000)
    raise ValueError("unheard")


@task(artifacts=True)
def reuses_every_descriptor():
    os.closerange(3, 1000)
    for number in range(20):
        os.open(f"{os.environ['LEOFLOW_ARTIFACTS']}/own-{number}", os.O_CREAT | os.O_RDWR, 0o644)
    return "the result"


@task
def may_open_no_more_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return "returned"


@task
def may_open_no_more_files_and_fails():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    open("/etc/os-release")


@task(artifacts=True)
def forgets_to_close_files():
    global text, data
    folder = os.environ["LEOFLOW_ARTIFACTS"]
    text = open(f"{folder}/text", "w")
    text.write("written")
    data = open(f"{folder}/data", "wb")
    data.write(b"written")
    print("no end of line", end="")
    sys.stdout = io.StringIO()
    return "returned"


@task
def fills_every_descriptor():
    kept = []
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))


TASKS = (
    closes_descriptors_1_and_2,
    closes_stdout,
    closes_stdout_and_prints,
    has_no_stdout,
    has_no_stderr_and_fails,
    replaces_stdout,
    sends_descriptor_1_elsewhere,
    closes_every_descriptor,
    closes_every_descriptor_and_fails,
    reuses_every_descriptor,
    may_open_no_more_files,
    may_open_no_more_files_and_fails,
    forgets_to_close_files,
    fills_every_descriptor,
)

"""Memory runs out: of the task's own process, of one that it started, of bash."""

import subprocess
import sys

from leoflow import task

LIMIT = {"requests": {"cpu": "100m", "memory": "48Mi"}}
EAT = "hoard = []\nwhile True: hoard.append(b'x' * 2**20)"


def start_an_eater() -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", EAT])


@task(resources=LIMIT)
def eats_memory():
    hoard = []
    while True:
        hoard.append(b"x" * 2**20)


@task(resources={**LIMIT, "limits": {"memory": "64Mi"}})
def eats_up_to_its_limit():
    hoard = []
    while True:
        hoard.append(b"x" * 2**20)


@task(resources=LIMIT)
def child_eats_memory():
    start_an_eater().check_returncode()


@task(resources=LIMIT)
def outlives_an_eater():
    return start_an_eater().returncode


@task.bash(resources=LIMIT)
def bash_becomes_an_eater():
    return f'exec {sys.executable} -c "{EAT}"'


@task.bash(resources=LIMIT)
def bash_starts_an_eater():
    return f'{sys.executable} -c "{EAT}"; code=$?; echo it ended; exit $code'


TASKS = (
    eats_memory,
    eats_up_to_its_limit,
    child_eats_memory,
    outlives_an_eater,
    bash_becomes_an_eater,
    bash_starts_an_eater,
)

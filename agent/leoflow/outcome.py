"""Ways in which a task ends other than by its result. Imported only by what uses one of them."""


class SkipTask(Exception):
    """Raise it to end the task as skipped; retries stay unused. Airflow: AirflowSkipException."""


class FailTask(Exception):
    """Raise it to fail the task, whatever retries are left. Airflow: AirflowFailException."""


class TaskTerminated(SystemExit):
    """Raised in the main thread when the task has to stop: a time-out, a cancelled run, SIGTERM.

    ``finally`` and context managers have the grace (10 s) to clean up; then comes SIGKILL. A
    SystemExit, so that ``except Exception`` lets it pass and an event loop ends by it.
    """

    def __str__(self) -> str:
        return "the task was told to stop (SIGTERM)"

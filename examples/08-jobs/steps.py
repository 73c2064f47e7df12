"""What the tasks of the DAG call."""


def address(params: dict, path: str) -> str:
    """Return where the API is, which comes with the run."""
    return params["api"] + path


def address_of(job: dict, params: dict) -> str:
    """Return where the job can be asked for."""
    return f"{params['api']}/jobs/{job['id']}"

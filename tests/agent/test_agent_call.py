"""How user code is called: arguments, context, async functions, processes of its own."""

from __future__ import annotations


def test_context_is_given_to_the_parameters_that_ask_for_it(agent):
    source = (
        "def task(n, params, *, ds, ti, dag_run=None, other=3):\n"
        "    return [n, params['color'], ds, ti.task_id, dag_run.run_id, other]\n"
    )
    agent.run(source, args=[1])
    value = agent.control_plane.of_type("xcom")[0]["value"]
    assert value == [1, "red", "2026-01-02", "t", "r", 3]


def test_an_argument_given_in_the_dag_wins_over_the_context(agent):
    agent.run("def task(params):\n    return params\n", kwargs={"params": 5})
    assert agent.control_plane.of_type("xcom")[0]["value"] == 5


def test_an_async_function_is_awaited(agent):
    agent.run("import asyncio\nasync def task():\n    await asyncio.sleep(0)\n    return 1\n")
    assert agent.control_plane.of_type("xcom")[0]["value"] == 1


def test_declared_python_variables_reach_a_fresh_interpreter(agent):
    agent.environment = {"PYTHONHASHSEED": "0"}
    source = "import sys\ndef task(n):\n    return [sys.flags.hash_randomization, n]\n"
    agent.run(source, fresh_interpreter=True, args=[2])
    assert agent.control_plane.of_type("xcom")[0]["value"] == [0, 2]


def test_user_code_may_spawn_processes_that_import_the_project(agent):
    source = (
        "import multiprocessing\n"
        "def double(n):\n"
        "    return 2 * n\n"
        "def task():\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(double, [1, 2])\n"
    )
    ended = agent.run(source)
    assert ended.returncode == 0, ended.stderr
    assert agent.control_plane.of_type("xcom")[0]["value"] == [2, 4]

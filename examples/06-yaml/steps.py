"""The functions that dag.yaml calls."""


def numbers(count: int) -> list:
    return list(range(count))


def add(numbers: list) -> int:
    return sum(numbers)

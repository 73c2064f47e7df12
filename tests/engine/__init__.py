"""A private Docker engine for the tests: how it is installed, started and found.

Standard library only: it runs before there is a virtual environment.
"""

"""Run tries as containers of a Docker engine. The only package that knows a Docker client."""

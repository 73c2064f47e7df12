"""Inline http_api tasks: the process that sends their requests, and the control plane's end of the
pipe to it. Knows no store.
"""

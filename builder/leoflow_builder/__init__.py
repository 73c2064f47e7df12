"""Turns a project folder into an OCI image and a `dag.json`.

It never imports the control plane, with which it shares only these artefacts.
"""

"""Tasks of the kind http_api: one conversation, for a container and for the control plane."""

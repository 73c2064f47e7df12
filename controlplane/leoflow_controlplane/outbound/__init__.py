"""HTTP requests that the control plane itself sends: inline tasks and webhooks."""

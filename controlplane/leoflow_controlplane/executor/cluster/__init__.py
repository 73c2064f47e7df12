"""Run tries as Pods of a Kubernetes cluster. The only package that knows a Kubernetes client."""

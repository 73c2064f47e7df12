"""A Kubernetes API server that keeps objects, and a scheduler and a kubelet that move its Pods."""

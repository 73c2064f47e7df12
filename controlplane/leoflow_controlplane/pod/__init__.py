"""What a try is on Kubernetes, as values. Pure: knows no client, no cluster and no clock."""

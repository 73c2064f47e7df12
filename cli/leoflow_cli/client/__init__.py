"""The thin client: asks a control plane over HTTP and shows what it says. Decides nothing."""

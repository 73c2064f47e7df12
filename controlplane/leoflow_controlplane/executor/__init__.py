"""Where tries run: one protocol, one module per place. No executor decides what may run."""

"""`leoflow server`: the control plane behind one port. Composes; what decides is elsewhere."""

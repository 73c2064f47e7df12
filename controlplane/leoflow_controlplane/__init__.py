"""What may run, what runs and what happened. Knows images and specs, never projects or builds."""

"""Who may ask for what: tokens of people and programs. Those of tries are none of this."""

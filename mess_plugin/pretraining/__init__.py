"""Training of the default encoder; nothing but its own command imports this."""

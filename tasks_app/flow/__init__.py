"""What a flow is made of, and the rules by which it goes on. Pure."""

"""How fast it heals, in figures: `make chaos ARGS="--measures"`. Each measure is a file that says what it counts."""

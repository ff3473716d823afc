"""Running agents: start, watch, and end everything they started."""

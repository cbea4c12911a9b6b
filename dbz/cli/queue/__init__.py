"""`dbz queue`: what waits between services, and what was given up."""

"""What a machine and its surroundings are fit for, before anything is measured or changed: `dbz doctor`."""

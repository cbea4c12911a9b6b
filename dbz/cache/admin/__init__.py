"""What a person does with a cache from outside: look into it, measure it, make parts of it stale."""

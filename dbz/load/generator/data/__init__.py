"""What scenarios are fed with: secrets from the environment, and rows of files."""

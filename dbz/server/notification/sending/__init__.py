"""Outside of the app: by which way and when a notification goes to its member, and that it does so once."""

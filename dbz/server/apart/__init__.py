"""Services apart: each in processes of its own, what it asks of the others over HTTP, and the processes themselves."""

"""Running a load: what to run, starting and collecting the generator, sampling the server, concluding."""

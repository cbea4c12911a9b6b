import itertools

from _bounded import counted
from locust import HttpUser, constant, task

NUMBERS = itertools.count()


class Visitor(HttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        if next(NUMBERS) % 2:
            raise RuntimeError("could not log in")

    @task
    def home(self):
        counted(self)
        self.client.get("/")

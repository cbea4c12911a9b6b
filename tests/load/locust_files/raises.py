from _bounded import counted
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/")

    @task
    def broken(self):
        counted(self)
        self.client.get("/json").json()["not there"]

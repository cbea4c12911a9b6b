from _bounded import counted
from locust import HttpUser, between, task


class Visitor(HttpUser):
    wait_time = between(0.05, 0.15)

    @task(3)
    def home(self):
        counted(self)
        self.client.get("/")

    @task
    def form(self):
        counted(self)
        self.client.post("/form", data={"a": 1})

from _bounded import counted
from locust import FastHttpUser, constant, task


class Quick(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/", headers={"X-A": "1"})

    @task
    def form(self):
        counted(self)
        self.client.post("/form", json={"a": 1})

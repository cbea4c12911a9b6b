from _bounded import counted
from locust import HttpUser, LoadTestShape, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/")


class Steps(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
        return (2, 10) if seconds < 2 else (4, 10) if seconds < 5 else None

from _bounded import counted
from locust import HttpUser, constant_pacing, constant_throughput, task


class Paced(HttpUser):
    wait_time = constant_pacing(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/paced")


class Steady(HttpUser):
    wait_time = constant_throughput(10)

    @task
    def home(self):
        counted(self)
        self.client.get("/steady")

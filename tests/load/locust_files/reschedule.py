from _bounded import counted
from locust import HttpUser, constant, task
from locust.exception import RescheduleTask, RescheduleTaskImmediately


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def later(self):
        counted(self)
        self.client.get("/later")
        raise RescheduleTask

    @task
    def again(self):
        counted(self)
        self.client.get("/again")
        raise RescheduleTaskImmediately

import time

from _bounded import counted
from locust import User, constant, task


class Rpc(User):
    host = "http://127.0.0.1:9"
    wait_time = constant(0.1)

    @task
    def call(self):
        counted(self)
        fire = self.environment.events.request.fire
        fire(request_type="RPC", name="ok", response_time=1.5, response_length=1, exception=None, context={})
        fire(request_type="RPC", name="slow", response_time=None, response_length=0, exception=None, context={})
        with self.environment.events.request.measure("RPC", "measured"):
            time.sleep(0.001)

        if self.done % 2:
            self.fail()

    def fail(self):
        fire = self.environment.events.request.fire
        fire(request_type="RPC", name="bad", response_time=None, response_length=0, exception=OSError("no"), context={})

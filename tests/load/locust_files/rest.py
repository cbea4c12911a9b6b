from _bounded import counted
from locust import FastHttpUser, constant, task


class Client(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def call(self):
        counted(self)
        if self.done % 3 == 0:
            with self.rest("GET", "/json") as answer:
                assert answer.js["ok"] == 1
        elif self.done % 3 == 1:
            with self.rest("POST", "/json", json={"a": 1}) as answer:
                if answer.js["ok"] == 1:
                    answer.failure("this is no error of the server")
        else:
            with self.rest("GET", "/json") as answer:
                answer.js["not there"]

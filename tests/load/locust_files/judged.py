from _bounded import counted
from locust import HttpUser, constant, task


class Judge(HttpUser):
    wait_time = constant(0.1)

    @task
    def judge(self):
        counted(self)
        if self.done % 3:
            with self.client.get("/missing", catch_response=True) as answer:
                if answer.status_code == 404:
                    answer.success()
        else:
            with self.client.get("/", catch_response=True) as answer:
                answer.failure("not what was meant")

"""Only the first of several workers is ended soon; the others go on, with users of their own."""

from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)
    made = 0

    def on_start(self):
        self.client.get("/start")

    @task
    def home(self):
        self.client.get("/")
        Visitor.made += 1
        if Visitor.made == (40 if getattr(self.environment.runner, "worker_index", 0) else 4):
            self.environment.runner.quit()

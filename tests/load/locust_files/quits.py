from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)
    made = 0

    @task
    def home(self):
        if Visitor.made == 40:
            self.environment.runner.quit()
        Visitor.made += 1
        self.client.get("/")

import gevent
from locust import HttpUser, LoadTestShape, events, task

ROUNDS = 3
ASKED = []


class Short(LoadTestShape):
    use_common_options = True

    def tick(self):
        options = self.runner.environment.parsed_options
        if len(ASKED) >= options.num_users * ROUNDS or self.get_run_time() > options.run_time:
            return None
        return options.num_users, options.spawn_rate


@events.test_start.add_listener
def check(environment, **_):
    assert environment.parsed_options.headless
    assert environment.parsed_options.run_time >= 30


class Slow(HttpUser):
    """Whoever is asked to stop has `LOCUST_STOP_TIMEOUT` for what is left of its task."""

    done = 0

    def wait_time(self):
        return 0 if self.done < ROUNDS else 60

    @task
    def slow(self):
        self.done += 1
        self.client.get("/")
        ASKED.append(self)
        gevent.sleep(1.5)
        self.client.get("/late")

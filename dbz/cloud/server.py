"""The local cloud put together: moto's applications behind the gate, and the reconciler beside them."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")  # moto's backends ask for some, and never for yours
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.config import default_user_config
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from dbz.cloud import corrections, paging
from dbz.cloud.autoscaling import activities
from dbz.cloud.autoscaling.scaling import ApplicationAutoScaling
from dbz.cloud.cloudwatch.metrics import MetricWriter
from dbz.cloud.ecs import balancing, protection
from dbz.cloud.ecs.balancing import Balancing
from dbz.cloud.ecs.reconciler import Reconciler
from dbz.cloud.ecs.tasks import PaperRunner, Runner
from dbz.cloud.faults import Controls, Gate
from dbz.cloud.furnishing import CloudOptions, furnish

TICK_S = 0.1
_log = logging.getLogger(__name__)


class _Handler(MotoRequestHandler):
    """Keeps the log for what went wrong."""

    def log_request(self, *_: Any) -> None:
        """Nothing for every request."""


class Cloud:
    """Serves the APIs on loopback while it is open; a context manager."""

    def __init__(self, options: CloudOptions, runner: Runner) -> None:
        default_user_config["stepfunctions"] = {"execute_state_machine": True}  # else moto only says that it did
        corrections.install(options.period_s)
        balancing.install()
        protection.install()
        paging.install()
        activities.install()
        self._runner = runner
        self._lock = threading.RLock()
        self._closing = threading.Event()
        region = options.region
        self._ecs = ecs_backends[DEFAULT_ACCOUNT_ID][region]
        cloudwatch = cloudwatch_backends[DEFAULT_ACCOUNT_ID][region]
        self.reconciler = Reconciler(self._ecs, runner, breaker=options.breaker)
        self._balancing = Balancing(self._ecs, elbv2_backends[DEFAULT_ACCOUNT_ID][region])
        self._metrics = MetricWriter(self._ecs, cloudwatch, self._balancing, options.period_s)
        self._autoscaler = ApplicationAutoScaling(
            self._ecs, cloudwatch, applicationautoscaling_backends[DEFAULT_ACCOUNT_ID][region]
        )
        load = runner.load if isinstance(runner, PaperRunner) else None
        controls = Controls(self.reconciler, self._balancing, self._metrics, load)
        gate = Gate(DomainDispatcherApplication(create_backend_app), controls, self._lock, lambda: self.ready)
        self._server = make_server(options.host, options.port, gate, threaded=True, request_handler=_Handler)
        self.port = self._server.server_port
        os.environ["MOTO_PORT"] = str(self.port)  # where state machines find SQS and the others
        self._threads = [
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True),
            threading.Thread(target=self._reconcile, daemon=True),
        ]
        furnish(options)

    def __enter__(self) -> Cloud:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()
        self._runner.close()

    def _reconcile(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                self._tick()
            except Exception:
                _log.exception("the reconciler failed; it goes on")
                time.sleep(1.0)

    def _tick(self) -> None:
        with self._lock:
            self.reconciler.tick()
            self._balancing.tick(self.reconciler.fleets)
            if isinstance(self._runner, PaperRunner):
                self._runner.load.running = sum(len(fleet.ready()) for fleet in self.reconciler.fleets.values())
        with self._lock:
            self._metrics.deliver()
        if self._metrics.due_finely:
            with self._lock:
                self._metrics.write_finely(self.reconciler.fleets)
                self._autoscaler.tick()
        if self._metrics.due:
            totals = self._runner.totals()  # without the lock: a busy task may take its time to answer
            with self._lock:
                self._metrics.write(self.reconciler.fleets, totals)
                self._autoscaler.tick()

    @property
    def ready(self) -> bool:
        """Whether every service runs what is wanted."""
        with self._lock:
            return all(fleet.settled for fleet in self.reconciler.fleets.values()) and bool(self.reconciler.fleets)

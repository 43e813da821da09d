"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
WINDOWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters of one server, in a registry of their own.

    Attributes
    ----------
    requests : Counter
        Answered, by route and status.
    seconds : Histogram
        From the first byte of a request to the last of its answer, by route.
    inside : Gauge
        Requests admitted and not answered: at work and waiting.
    waiting : Gauge
        Of those, the ones without a worker yet.
    restarts : Counter
        Workers replaced, because they died or took too long.
    windows : Histogram
        Windows in one call of a model, by model.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "genrescope_requests", "Requests answered.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "genrescope_request_seconds", "From the first byte of a request to the last of its "
            "answer.", ["route"], buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.inside = Gauge(
            "genrescope_requests_inside", "Requests at work and waiting.", registry=self.registry
        )
        self.waiting = Gauge(
            "genrescope_requests_waiting", "Requests that wait for a worker.",
            registry=self.registry,
        )  # fmt: skip
        self.restarts = Counter(
            "genrescope_worker_restarts", "Workers that died or took too long, and were replaced.",
            registry=self.registry,
        )  # fmt: skip
        self.windows = Histogram(
            "genrescope_batch_windows", "Windows in one call of a model.", ["model"],
            buckets=WINDOWS, registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """Everything counted, in Prometheus's text format."""
        return generate_latest(self.registry)

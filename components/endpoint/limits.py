"""Times and protocols of the load balancer, each with the reason for its value."""

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""TLS 1.3 and 1.2, forward secrecy only, with post-quantum key exchange for clients that have it. The policy that AWS
recommends and the console's default (Application Load Balancers, security policies, read 2026-11-27)."""

IDLE_SECONDS = 900
"""How long a connection may be silent. A stream sends a token many times a second, but an answer without `stream` is
silent until it is complete, and so is a request in the queue. OpenAI's clients give up after 600 s by default, and a
limit of the load balancer below the client's would turn a slow answer into an error 504. AWS allows 1 to 4,000."""

CLIENT_KEEP_ALIVE_SECONDS = 3600
"""How long a client may keep one connection, AWS's default. AWS lets a running request finish, so it ends no stream."""

DEREGISTRATION_SECONDS = 120
"""How long requests of a stopping pod may continue: the pod's whole grace period, with its drain of 80 s."""

HEALTH_PATH = "/health"
HEALTH_INTERVAL_SECONDS = 10
HEALTH_TIMEOUT_SECONDS = 5
HEALTHY_COUNT = 2
"""AWS's minimum. A new leader gets requests after 20 s, because it is ready before it is registered."""
UNHEALTHY_COUNT = 3
"""Interval, timeout and count are those of the leader's readiness probe, so that the load balancer gives up on a leader
no earlier than Kubernetes does."""

PATHS = ("/v1/*", "/health", "/tokenize", "/detokenize")
"""What passes from outside: the API, its health and the tokenizer. A rule has five values, with the host name."""

"""Route 53: a control plane that takes time, health checks that mean something, answers for the DNS server."""

from localaws.services.route53.responses import Route53Service

__all__ = ["Route53Service"]

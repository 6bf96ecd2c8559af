"""Tracelith tells from OpenTelemetry traces whether microservices are a distributed monolith."""

__all__ = ["__version__"]

__version__ = "0.1.0"

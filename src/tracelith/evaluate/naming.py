"""What things of a simulated system are called where spans are read: services with their namespace, as semconv says."""

from collections.abc import Mapping

from tracelith.simulate.topology import System

__all__ = ["service_names"]


def service_names(system: System) -> Mapping[str, str]:
    """The name that spans of a service are stored under, by its service.name."""
    return {
        service.name: f"{service.namespace}/{service.name}" if service.namespace else service.name
        for service in system.services
    }

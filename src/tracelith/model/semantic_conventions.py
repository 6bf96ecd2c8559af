"""Which attribute keys say what, for every generation of the semantic conventions in use.

One table: canonical field to attribute keys, newest convention first; the first key present wins.
"""

__all__ = ["KNOWN_RESOURCE_KEYS", "KNOWN_SPAN_KEYS", "RESOURCE_KEYS", "SPAN_KEYS"]

RESOURCE_KEYS: dict[str, tuple[str, ...]] = {
    "service": ("service.name",),
    "namespace": ("service.namespace",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "version": ("service.version",),
    "instance": ("service.instance.id", "k8s.pod.uid", "k8s.pod.name", "container.id", "host.id"),
    "host": ("k8s.node.name", "host.name", "host.id", "ip"),
    "language": ("telemetry.sdk.language",),
}

SPAN_KEYS: dict[str, tuple[str, ...]] = {
    "http_method": ("http.request.method", "http.method"),
    "http_route": ("http.route",),
    "http_url": ("url.full", "http.url", "url.path", "http.target"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "resend_count": ("http.request.resend_count", "http.resend_count"),
    "rpc_system": ("rpc.system.name", "rpc.system"),
    "rpc_method": ("rpc.method",),
    "rpc_status": ("rpc.response.status_code", "rpc.grpc.status_code"),
    "db_system": ("db.system.name", "db.system"),
    "db_namespace": ("db.namespace", "db.name", "db.instance"),
    "db_object": ("db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table"),
    "db_action": ("db.operation.name", "db.operation"),
    "db_summary": ("db.query.summary",),
    "messaging_system": ("messaging.system",),
    "messaging_destination": ("messaging.destination.name", "messaging.destination", "messaging.destination.template"),
    "messaging_action": ("messaging.operation.type", "messaging.operation.name", "messaging.operation"),
    "consumer_group": (
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
    ),
    "peer_service": ("service.peer.name", "peer.service"),
    "peer_address": ("server.address", "net.peer.name", "net.sock.peer.name", "peer.hostname", "net.peer.ip"),
    "peer_port": ("server.port", "net.peer.port", "net.sock.peer.port"),
    "error_type": ("error.type",),
    "error": ("error",),
}

KNOWN_RESOURCE_KEYS = frozenset(key for keys in RESOURCE_KEYS.values() for key in keys)
KNOWN_SPAN_KEYS = frozenset(key for keys in SPAN_KEYS.values() for key in keys)

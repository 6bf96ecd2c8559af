"""Which attribute keys say what, for every generation of the semantic conventions in use.

One table: canonical field to attribute keys, newest convention first; the first key present wins. Beside the keys
of OpenTelemetry's registry (current and deprecated) stand those that older tracers and proxies still send and
collectors pass on: OpenTracing (``db.type``, ``peer.address``, ``message_bus.destination``), Jaeger (``ip``,
``hostname``) and Envoy (``grpc.status_code``), and keys that left the conventions before they had a registry.

Not read on purpose: query strings of URLs, headers and user ids. They are large, often personal, and no metric needs
them. URLs are read for their host alone, and the text of database statements for the names of their tables alone.
"""

from collections.abc import Mapping

__all__ = [
    "DB_SYSTEM_RENAMES",
    "KNOWN_KEYS",
    "KNOWN_RESOURCE_KEYS",
    "KNOWN_SPAN_KEYS",
    "MESSAGING_ACTION_RENAMES",
    "MESSAGING_SYSTEM_RENAMES",
    "QUERY_TEXT_KEYS",
    "RESOURCE_KEYS",
    "SPAN_KEYS",
]

RESOURCE_KEYS: Mapping[str, tuple[str, ...]] = {
    # What the conventions tell SDKs and collectors to take where nobody named the service.
    "service": (
        "service.name",
        "faas.name",
        "k8s.deployment.name",
        "k8s.statefulset.name",
        "k8s.daemonset.name",
        "k8s.cronjob.name",
        "aws.ecs.task.family",
        "cloudfoundry.app.name",
    ),
    "namespace": ("service.namespace",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "version": ("service.version", "faas.version", "container.image.tag"),
    "instance": (
        "service.instance.id",
        "k8s.pod.uid",
        "k8s.pod.name",
        "faas.instance",
        "aws.ecs.task.id",
        "aws.ecs.task.arn",
        "container.id",
        "host.id",
    ),
    "host": ("k8s.node.name", "host.name", "host.id", "hostname", "ip"),
    "language": ("telemetry.sdk.language",),
}

SPAN_KEYS: Mapping[str, tuple[str, ...]] = {
    "http_method": ("http.request.method", "http.method"),
    # A client knows no route; url.template is the same thing seen from its side.
    "http_route": ("http.route", "url.template"),
    "http_url": ("url.full", "http.url", "url.path", "http.target"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "resend_count": ("http.request.resend_count", "http.resend_count", "http.retry_count"),
    "rpc_system": ("rpc.system.name", "rpc.system"),
    "rpc_method": ("rpc.method", "rpc.service"),
    "rpc_status": (
        "rpc.response.status_code",
        "rpc.grpc.status_code",
        "rpc.connect_rpc.error_code",
        "grpc.status_code",
    ),
    "db_system": ("db.system.name", "db.system", "db.type"),
    "db_namespace": (
        "db.namespace",
        "db.name",
        "db.redis.database_index",
        "db.cassandra.keyspace",
        "db.hbase.namespace",
        "db.instance",
    ),
    "db_object": (
        "db.collection.name",
        "db.sql.table",
        "db.mongodb.collection",
        "db.cassandra.table",
        "db.cosmosdb.container",
        "db.operation.parameter.index",
        "db.elasticsearch.path_parts.index",
    ),
    "db_action": ("db.operation.name", "db.operation", "db.cosmosdb.operation_type"),
    "db_summary": ("db.query.summary",),
    "messaging_system": ("messaging.system",),
    # The template comes first: names of temporary destinations are as many as there are clients.
    "messaging_destination": (
        "messaging.destination.template",
        "messaging.destination.name",
        "messaging.destination",
        "messaging.destination_publish.name",
        "message_bus.destination",
        "aws.sqs.queue.url",
        "aws.sns.topic.arn",
    ),
    "messaging_action": ("messaging.operation.type", "messaging.operation.name", "messaging.operation"),
    # A subscription divides a topic among consumers exactly as a consumer group does.
    "consumer_group": (
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.rocketmq.client_group",
        "messaging.eventhubs.consumer.group",
        "messaging.destination.subscription.name",
        "messaging.servicebus.destination.subscription_name",
    ),
    # A function calls another one by its name, which is that service's name in turn.
    "peer_service": ("service.peer.name", "peer.service", "faas.invoked_name"),
    "peer_service_namespace": ("service.peer.namespace",),
    "peer_address": (
        "server.address",
        "net.peer.name",
        "server.socket.domain",
        "net.sock.peer.name",
        "peer.hostname",
        "http.host",
        "network.peer.address",
        "server.socket.address",
        "net.sock.peer.addr",
        "net.peer.ip",
        "peer.ipv4",
        "peer.ipv6",
        "peer.address",
    ),
    "peer_port": (
        "server.port",
        "net.peer.port",
        "network.peer.port",
        "server.socket.port",
        "net.sock.peer.port",
        "peer.port",
    ),
    "error_type": ("error.type",),
    "error": ("error",),
}

QUERY_TEXT_KEYS = ("db.query.text", "db.statement")
"""Read for the tables that a statement names, where nothing says them; the text is dropped with its batch."""

KNOWN_RESOURCE_KEYS = frozenset(key for keys in RESOURCE_KEYS.values() for key in keys)
KNOWN_SPAN_KEYS = frozenset(key for keys in (*SPAN_KEYS.values(), QUERY_TEXT_KEYS) for key in keys)
KNOWN_KEYS = tuple(sorted(KNOWN_RESOURCE_KEYS | KNOWN_SPAN_KEYS))

DB_SYSTEM_RENAMES: Mapping[str, str] = {
    # db.system value: db.system.name value, so that one database has one name whichever library called it.
    "mssql": "microsoft.sql_server",
    "mssqlcompact": "microsoft.sql_server",
    "oracle": "oracle.db",
    "db2": "ibm.db2",
    "informix": "ibm.informix",
    "netezza": "ibm.netezza",
    "dynamodb": "aws.dynamodb",
    "redshift": "aws.redshift",
    "cosmosdb": "azure.cosmosdb",
    "spanner": "gcp.spanner",
    "hanadb": "sap.hana",
    "maxdb": "sap.maxdb",
    "adabas": "softwareag.adabas",
    "ingres": "actian.ingres",
    "firebird": "firebirdsql",
    "h2": "h2database",
    "cache": "intersystems.cache",
    "intersystems_cache": "intersystems.cache",
    # OpenTracing's db.type was free text; these are the common spellings.
    "sql": "other_sql",
    "postgres": "postgresql",
    "mongo": "mongodb",
    "sqlserver": "microsoft.sql_server",
}

MESSAGING_SYSTEM_RENAMES: Mapping[str, str] = {
    # What instrumentations called their broker before the conventions had names, and the names.
    "amazonsqs": "aws_sqs",
    "aws.sqs": "aws_sqs",
    "sqs": "aws_sqs",
    "amazonsns": "aws.sns",
    "aws_sns": "aws.sns",
    "sns": "aws.sns",
    "google_pubsub": "gcp_pubsub",
    "pubsub": "gcp_pubsub",
    "gcppubsub": "gcp_pubsub",
    "azure_servicebus": "servicebus",
    "az.servicebus": "servicebus",
    "azureservicebus": "servicebus",
    "azure_eventhubs": "eventhubs",
    "az.eventhubs": "eventhubs",
    "azure_eventgrid": "eventgrid",
}

MESSAGING_ACTION_RENAMES: Mapping[str, str] = {
    # Old and new operation types, and the API names that libraries send where they know no type.
    "send": "publish",
    "deliver": "process",
    "consume": "process",
    "poll": "receive",
    "ack": "settle",
    "nack": "settle",
    "commit": "settle",
}

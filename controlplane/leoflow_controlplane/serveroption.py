"""The settings that only `leoflow server` has, as options: their kinds, defaults and meanings."""

from __future__ import annotations

from leoflow_controlplane.option import Option
from leoflow_controlplane.quantity import COUNT, PORT, SECONDS, SWITCH, TEXT, WORDS, choice

# Where commands look for a server that nobody has named.
DEFAULT_PORT = 8080

SERVER_OPTIONS: tuple[Option, ...] = (
    Option("host", TEXT, "127.0.0.1", "the address that is listened on"),
    Option("port", PORT, DEFAULT_PORT, "the port that is listened on"),
    Option("url", TEXT, None, "where the other replicas reach this one"),
    Option(
        "database_url",
        TEXT,
        None,
        "postgresql://… or sqlite:///…; none: the file leoflow.db in the home",
        secret=True,
        flag="--db",
    ),
    Option("executor", choice("docker", "kubernetes", "subprocess"), "docker", "where tries run"),
    Option(
        "subprocess_projects",
        TEXT,
        None,
        "with executor subprocess: the folder that has each DAG's project, by its dag_id",
    ),
    Option("realm", TEXT, None, "a name that all replicas of one server have in common"),
    Option("agent_url", TEXT, None, "where containers reach the agent API; none: found out"),
    Option("agent_listen", TEXT, None, "HOST:PORT to listen on for that, if it is another"),
    Option("agent_ca", TEXT, None, "a file of certificates that agents trust"),
    Option("tls_cert", TEXT, None, "a file with the certificate to serve https with"),
    Option("tls_key", TEXT, None, "a file with its private key"),
    Option(
        "secret_key",
        TEXT,
        None,
        "keys that variables and connections are encrypted with; none: a file in the home",
        secret=True,
    ),
    Option(
        "admin_token",
        TEXT,
        None,
        "a token of an admin, 32 characters or more; none: the first start makes one",
        secret=True,
    ),
    Option(
        "webhook_secret",
        TEXT,
        None,
        "what webhooks are signed with: whsec_ and 24 to 64 bytes in base64; none: unsigned",
        secret=True,
    ),
    Option("log_format", choice("console", "json"), "console", "how log lines look"),
    Option(
        "log_level",
        choice("debug", "info", "warning", "error"),
        "info",
        "from where on leoflow's own lines are logged",
    ),
    Option("allowed_hosts", WORDS, (), "names that requests may have in Host; none: any"),
    Option("metrics_need_token", SWITCH, False, "whether /metrics is for tokens only"),
    Option("docs_pages", SWITCH, False, "whether /docs is served; it loads scripts from a CDN"),
    Option("max_requests", COUNT, 100, "requests of people and programs at once"),
    Option(
        "max_streams", COUNT, 1000, "logs that are followed and runs that are waited for at once"
    ),
    Option("shutdown_seconds", SECONDS, 10.0, "how long requests may take to end when it stops"),
)

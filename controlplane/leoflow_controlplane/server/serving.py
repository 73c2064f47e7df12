"""`leoflow server` from its start to its end. Composes the parts and keeps the order in which they
come and go; prints nothing but by the function that it is given.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from leoflow_controlplane.agentserver import is_loopback
from leoflow_controlplane.api import AgentApp, Reply
from leoflow_controlplane.auth.adminfile import ensure_admin, keep_admin
from leoflow_controlplane.auth.attempt import Attempts
from leoflow_controlplane.auth.gate import Gate
from leoflow_controlplane.auth.keyring import Keyring
from leoflow_controlplane.executor.protocol import ExecutorFactory
from leoflow_controlplane.logsetup import set_up_logging
from leoflow_controlplane.rest.app import RestApp, RestLimits
from leoflow_controlplane.rest.header import SafeHeaders
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.scheduler import wall_clock
from leoflow_controlplane.server.later import Later
from leoflow_controlplane.server.listener import Listener, bind
from leoflow_controlplane.server.place import Projects, executor_factory, warn_of_address
from leoflow_controlplane.server.reign import Reign
from leoflow_controlplane.server.seat import Seat, SeatDesk
from leoflow_controlplane.server.telemetry import Telemetry, open_telemetry
from leoflow_controlplane.serveroption import DEFAULT_PORT
from leoflow_controlplane.serversetting import ServerSettings

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp

Say = Callable[[str], None]
# The default lets the writer's thread keep the interpreter for 5 ms, while a report waits that the
# event loop could have answered.
SWITCH_SECONDS = 0.0005
_PLAIN_HTTP = (
    "warning: {host} can be reached from other machines, and what is sent there is not encrypted: "
    "tokens can be read on the way. Set tls_cert and tls_key, or put a proxy with TLS before it."
)


def serve(
    settings: ServerSettings,
    say: Say,
    *,
    new_admin_token: bool = False,
    projects: Projects | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once.

    ``say`` gets lines for the operator, ``projects`` has the code of DAGs where tries run as
    subprocesses. Containers that run go on without a server, and are adopted by the next one.
    Raises SettingInvalid, DatabaseUnusable, ExecutorUnusable.
    """
    import uvloop

    from leoflow_controlplane.server.collector import calm_collector

    set_up_logging(settings.log_format, settings.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(settings, say, projects)
    server.new_admin_token = new_admin_token
    server.once_complete = calm_collector
    uvloop.run(_run_with_signals(server))


class Server:
    """One process of `leoflow server`. ``stop`` ends it as a signal does; ``new_admin_token``
    replaces the first admin's, ``once_complete`` is called when all that there will be is there.
    ``factory`` makes another executor than the settings name."""

    def __init__(
        self,
        settings: ServerSettings,
        say: Say,
        projects: Projects | None = None,
        factory: ExecutorFactory | None = None,
    ) -> None:
        self.url = ""
        self.new_admin_token = False
        self.once_complete: Callable[[], None] = lambda: None
        self.started = asyncio.Event()
        self._settings = settings
        self._say = say
        self._projects = projects
        self._factory = factory
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop accepting, let requests end, leave containers running."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`."""
        settings = self._settings
        # First, so that a second server of the same port ends before it touches anything.
        listener = bind(settings.host, settings.port)
        self.url = _url_of(settings, listener)
        seat = self._make_seat()
        async with AsyncExitStack() as stack:
            stack.callback(listener.close)
            factory = self._factory or executor_factory(settings, self._projects)
            telemetry = await stack.enter_async_context(open_telemetry(seat, os.environ))
            reign = Reign(settings, seat, factory, telemetry)
            stack.push_async_callback(reign.close)
            await reign.open()
            keyring = Keyring(seat, seat, wall_clock)
            limits = _limits(settings)
            api = Later(partial(_make_api, self._office(seat, reign, keyring), limits))
            rest = RestApp(api, keyring, limits)
            seat.left = rest.end_streams
            client = await self._open_client(stack)
            agent = AgentApp(SeatDesk(seat), telemetry.metrics)
            http = Listener(
                self._dispatch(agent, seat, rest, telemetry, client),
                partial(_take_report, seat, agent),
                listener,
                _tls(settings),
                settings.shutdown_seconds,
            )
            stack.push_async_callback(_close_http, http, rest, keyring)
            await http.start()
            await self._greet(seat, reign)
            await api.ready()
            self.once_complete()
            await self._wait(reign)

    def _make_seat(self) -> Seat:
        url = self._settings.url or self.url
        if self._projects is None:
            return Seat(url, wall_clock)
        return Seat(url, wall_clock, self._projects.refusal)

    def _office(self, seat: Seat, reign: Reign, keyring: Keyring) -> Office:
        return Office(
            commands=seat.commands,
            reader=seat,
            writer=seat,
            watch=seat.watch,
            secrets=reign.secrets,
            probe=seat.probe,
            slots=self._settings.limits.max_parallel_tasks,
            clock=wall_clock,
            forget_tokens=keyring.forget,
        )

    def _dispatch(
        self,
        agent: ASGIApp,
        seat: Seat,
        rest: RestApp,
        telemetry: Telemetry,
        client: httpx.AsyncClient | None,
    ) -> ASGIApp:
        from leoflow_controlplane.rest.health import health_app
        from leoflow_controlplane.server.accesslog import AccessLog
        from leoflow_controlplane.server.dispatch import Dispatch

        people: ASGIApp = rest
        if client is not None:
            from leoflow_controlplane.server.forward import Forwarder

            agent, people = (
                Forwarder(app, lambda: seat.leads, seat.find_leader, client)
                for app in (agent, people)
            )
        metrics = self._metrics(telemetry, rest.keyring)
        hosts = self._settings.allowed_hosts
        health = SafeHeaders(health_app(seat.probe))
        return Dispatch(agent, health, SafeHeaders(metrics), AccessLog(people), hosts)

    def _metrics(self, telemetry: Telemetry, keyring: Keyring) -> ASGIApp:
        app = telemetry.metrics.app
        if not self._settings.metrics_need_token:
            return app
        return Gate(app, keyring, Attempts(wall_clock), guarded="/metrics")

    async def _open_client(self, stack: AsyncExitStack) -> httpx.AsyncClient | None:
        """Give what requests are handed on with; None where there can be no peers."""
        if not is_shared(self._settings):
            return None
        import httpx

        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
        return await stack.enter_async_context(httpx.AsyncClient(limits=limits, trust_env=False))

    async def _greet(self, seat: Seat, reign: Reign) -> None:
        settings = self._settings
        self._say(f"leoflow server at {self.url}")
        if is_loopback(settings.host) and settings.port != DEFAULT_PORT:
            self._say(f"commands find it with:  export LEOFLOW_SERVER={self.url}")
        if not is_loopback(settings.host) and settings.tls_cert is None:
            self._say(_PLAIN_HTTP.format(host=settings.host))
        if warning := warn_of_address(settings):
            self._say(warning)
        if seat.database is not None:
            self._say(f"state in {seat.database.name}, tries run by: {settings.executor}")
        reign.once_leading(self._make_admin)
        self.started.set()

    async def _make_admin(self, seat: Seat) -> None:
        if self._settings.admin_token is not None:
            await keep_admin(seat, self._settings.admin_token, wall_clock())
            return
        path = await ensure_admin(
            self._settings.home, seat, seat, wall_clock(), anew=self.new_admin_token
        )
        self.new_admin_token = False
        if path is not None:
            self._say(f"the token of an admin is in {path}")

    async def _wait(self, reign: Reign) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({stopping, reign.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if reign.task.done():
            reign.task.result()

    def take_signal(self, number: int) -> None:
        """Stop at the first signal, and end the process at the second."""
        if self._stopping.is_set():
            # What was acknowledged is durable, and what runs is adopted by the next server.
            os._exit(128 + number)
        self._say("stopping: requests may end, tries go on. Once more to stop at once.")
        self.stop()


async def _run_with_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.take_signal, number)
    await server.run()


def is_shared(settings: ServerSettings) -> bool:
    """Say whether there may be other replicas: a SQLite file is one process's."""
    return (settings.database_url or "").startswith("postgres")


async def _close_http(http: Listener, rest: RestApp, keyring: Keyring) -> None:
    rest.end_streams()
    await http.close()
    await keyring.close()


def _take_report(
    seat: Seat, agent: AgentApp, token: str, body: bytes, answer: Callable[[Reply], None]
) -> bool:
    """Answer a report the short way, unless another replica may have to."""
    return seat.leads and agent.take_report(token, body, answer)


def _make_api(office: Office, limits: RestLimits) -> ASGIApp:
    from leoflow_controlplane.rest.api import make_api

    return make_api(office, limits)


def _limits(settings: ServerSettings) -> RestLimits:
    return RestLimits(settings.max_requests, settings.max_streams, settings.docs_pages)


def _tls(settings: ServerSettings) -> tuple[str, str] | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return settings.tls_cert, settings.tls_key


def _url_of(settings: ServerSettings, listener: socket.socket) -> str:
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"

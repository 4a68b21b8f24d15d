"""What surrounds every RPC: who may call, the request id, and errors that become a status.

Handlers raise domain errors and never abort; the interceptor alone turns an error into a status. It also
parses the requests, so that bytes that are no message become INVALID_ARGUMENT like any other bad request.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, TypeAlias

import grpc

from segint_grpc import errors, logs, refusal
from segint_grpc.api import details as status_details
from segint_grpc.api import peers
from segint_grpc.api.status import status_of
from segint_grpc.domain.jobs import parse_job_id

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Parser = Callable[[bytes], Any] | None

MESSAGE_CHARACTERS = 1500

_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class Guard(grpc.aio.ServerInterceptor):
    """The one interceptor of a door, for RPCs of all four kinds."""

    def __init__(self, networks: Sequence[peers.Network] = (), elsewhere: Collection[str] = ()) -> None:
        """Admit `networks` (see `peers.check_allowed`); send callers of what is `elsewhere` away.

        `elsewhere` holds services and single methods that answer on the unix socket only, by their full
        names, for instance `segint.v1.Models` and `segint.v1.Segmentation/WatchJobs`.
        """
        self._networks = tuple(networks)
        self._elsewhere = frozenset(elsewhere)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the RPC's handler inside this guard, or None where there is no such RPC."""
        method = handler_call_details.method
        name = method.strip("/")
        for refused in self._elsewhere.intersection((name, name.partition("/")[0])):
            return self._refuse(method, refused)
        handler = await continuation(handler_call_details)
        return handler and self._surround(method, handler)

    def _refuse(self, method: str, name: str) -> Handler:
        async def refuse(requests: AsyncIterator[bytes], context: Context) -> None:
            async with self._guarded(method, context):
                raise errors.Forbidden(
                    f"{name} answers on the unix socket in the server's home only, not over TCP."
                )

        return _handler(grpc.stream_stream_rpc_method_handler, refuse, None)

    def _surround(self, method: str, handler: Handler) -> Handler:
        """Return a handler of the same kind that takes bytes and runs `handler` inside this guard."""
        parser, serializer = handler.request_deserializer, handler.response_serializer
        read = _parse_stream if handler.request_streaming else _parse
        behaviour = _behaviour(handler)

        async def answer_once(request: Any, context: Context) -> Any:
            async with self._guarded(method, context):
                return await behaviour(read(parser, request), context)

        async def answer_with_stream(request: Any, context: Context) -> None:
            async with self._guarded(method, context):
                await _write_all(behaviour(read(parser, request), context), context)

        answer = answer_with_stream if handler.response_streaming else answer_once
        return _handler(_FACTORIES[handler.request_streaming, handler.response_streaming], answer, serializer)

    @asynccontextmanager
    async def _guarded(self, method: str, context: Context) -> AsyncIterator[None]:
        """Check the caller, set the request id, and end the RPC with a status where its body raises."""
        request_id = _request_id(context)
        logs.request_id.set(request_id)
        context.set_trailing_metadata(((logs.REQUEST_ID_METADATA, request_id),))
        try:
            peers.check_allowed(context.peer(), self._networks)
            yield
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            code, details = _explain(method, error, request_id)
            # Too late once an answer is out; then the caller has the status alone.
            with suppress(grpc.aio.UsageError):
                await context.send_initial_metadata(refusal.pack(code.name, details))
            metadata = status_details.trailing_metadata(code, details, error, request_id)
            await context.abort(code, details, metadata)


def _explain(method: str, error: Exception, request_id: str) -> tuple[grpc.StatusCode, str]:
    """Log `error` and return what the caller is told of it: a traceback goes to the log alone."""
    code = status_of(error)
    if isinstance(error, errors.SegIntError) and code is not grpc.StatusCode.INTERNAL:
        log.info("%s: %s", method, error.message, extra={"status": code.name})
        return code, _fitting(error.message)
    log.error("%s failed", method, exc_info=error, extra={"status": grpc.StatusCode.INTERNAL.name})
    details = f"The server failed; its log says more under the request id {request_id}."
    return grpc.StatusCode.INTERNAL, details


def _fitting(message: str) -> str:
    """Return so much of `message` as fits the metadata that clients take, in which it is told twice."""
    return message if len(message) <= MESSAGE_CHARACTERS else f"{message[:MESSAGE_CHARACTERS]}…"


def _request_id(context: Context) -> str:
    """Return the caller's request id where it sent a plain one, so that it cannot forge log lines."""
    metadata = context.invocation_metadata() or ()
    given = next((value for key, value in metadata if key == logs.REQUEST_ID_METADATA), "")
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else logs.new_request_id()


def _parse(parser: Parser, request: bytes) -> Any:
    """Return the message that `request` holds, and note the job that it names for the log."""
    try:
        message = parser(request) if parser else request
    except Exception:
        raise errors.UnparsableMessage from None
    named = getattr(message, "segmentation_id", "")
    if named:
        logs.job_id.set(parse_job_id(named))
    return message


async def _parse_stream(parser: Parser, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _parse(parser, request)


async def _write_all(answers: Any, context: Context) -> None:
    """Send what a handler yields; one that writes to the context itself is only waited for."""
    if not inspect.isasyncgen(answers):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            await context.write(answer)


def _behaviour(handler: Handler) -> Callable[..., Any]:
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    return next(behaviour for behaviour in kinds if behaviour is not None)


_FACTORIES: dict[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""By whether requests, and whether responses, are streamed."""


def _handler(factory: Callable[..., Handler], behaviour: Callable[..., Any], serializer: Any) -> Handler:
    return factory(behaviour, request_deserializer=None, response_serializer=serializer)

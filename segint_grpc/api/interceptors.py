"""What surrounds every RPC: who may call, the request id, and errors that become a status.

Handlers raise domain errors and never abort; the interceptor alone turns an error into a status. It also
reads and parses the requests: the caller is checked before anything of a request is taken in, and bytes that
are no message become INVALID_ARGUMENT like any other bad request.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import grpc

from segint_grpc import errors, logs, refusal
from segint_grpc.api import details as status_details
from segint_grpc.api.auditing import Auditor, Trace
from segint_grpc.api.status import status_of
from segint_grpc.domain import access
from segint_grpc.domain.access import Caller
from segint_grpc.domain.jobs import parse_job_id

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Parser = Callable[[bytes], Any] | None

MESSAGE_CHARACTERS = 1500

_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class Admitting(Protocol):
    """Who says who may come in; see api/doorkeeper.py."""

    def admit(self, method: str, context: Context) -> Caller:
        """Return who calls `method`, or raise why nobody may."""

    def recheck(self, caller: Caller) -> None:
        """Raise where `caller` may not go on."""

    def stranger(self, context: Context) -> Caller:
        """Return who was turned away, as far as that is known."""


class Guard(grpc.aio.ServerInterceptor):
    """The one interceptor of a door, for RPCs of all four kinds."""

    def __init__(self, doorkeeper: Admitting, auditor: Auditor | None = None) -> None:
        """Let in whom `doorkeeper` admits, and tell `auditor` who does what and who is turned away."""
        self._doorkeeper = doorkeeper
        self._auditor = auditor

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the RPC's handler inside this guard, or None where there is no such RPC."""
        handler = await continuation(handler_call_details)
        return handler and self._surround(handler_call_details.method.strip("/"), handler)

    def _surround(self, method: str, handler: Handler) -> Handler:
        """Return a handler that takes streams of bytes and runs `handler` inside this guard.

        On the wire one message is a stream of one, and gRPC reads a stream only when it is asked to: so
        nobody's request is taken in before its caller is known.
        """
        parser, serializer = handler.request_deserializer, handler.response_serializer
        behaviour = _behaviour(handler)

        async def answer(requests: AsyncIterator[bytes], context: Context) -> None:
            async with self._guarded(method, context) as course:
                if handler.request_streaming:
                    request = _parse_stream(parser, requests, course)
                else:
                    request = await course.take(_parse(parser, await _only(requests)))
                if handler.response_streaming:
                    await _write_all(behaviour(request, context), context, course)
                else:
                    await context.write(await course.give(await behaviour(request, context)))

        return grpc.stream_stream_rpc_method_handler(
            answer, request_deserializer=None, response_serializer=serializer
        )

    @asynccontextmanager
    async def _guarded(self, method: str, context: Context) -> AsyncIterator[Course]:
        """Admit the caller, set the request id, and end the RPC with a status where its body raises."""
        request_id = _request_id(context)
        logs.request_id.set(request_id)
        context.set_trailing_metadata(((logs.REQUEST_ID_METADATA, request_id),))
        try:
            caller = await self._admit(method, context)
            async with self._traced(method) as trace:
                yield Course(trace, partial(self._doorkeeper.recheck, caller))
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            code, details = _explain(method, error, request_id)
            # Too late once an answer is out; then the caller has the status alone.
            with suppress(grpc.aio.UsageError):
                await context.send_initial_metadata(refusal.pack(code.name, details, _retry_s(error)))
            metadata = status_details.trailing_metadata(code, details, error, request_id)
            await context.abort(code, details, metadata)

    async def _admit(self, method: str, context: Context) -> Caller:
        """Return who calls, which is set as the present caller; who may not is recorded as refused."""
        try:
            caller = self._doorkeeper.admit(method, context)
        except errors.SegIntError as error:
            if self._auditor:
                await self._auditor.refused(method, self._doorkeeper.stranger(context), error)
            raise
        access.current.set(caller)
        return caller

    @asynccontextmanager
    async def _traced(self, method: str) -> AsyncIterator[Trace]:
        """Give the trace of the RPC, and tell it how that ended."""
        trace = self._auditor.trace(method) if self._auditor else Trace()
        try:
            yield trace
        except (grpc.aio.AbortError, asyncio.CancelledError):
            trace.left()
            raise
        except Exception as error:
            await trace.failed(status_of(error).name)
            raise
        await trace.ended()


@dataclass(frozen=True)
class Course:
    """What surrounds each message of an RPC: its caller may still call, and the audit log hears of it."""

    trace: Trace
    recheck: Callable[[], None]

    async def take(self, request: Any) -> Any:
        """Return `request`, which the handler may see now; raises Unauthenticated where it may no more."""
        self.recheck()
        await self.trace.asked(request)
        return request

    async def give(self, answer: Any) -> Any:
        """Return `answer`, which may go out now."""
        await self.trace.answered(answer)
        return answer


def _explain(method: str, error: Exception, request_id: str) -> tuple[grpc.StatusCode, str]:
    """Log `error` and return what the caller is told of it: a traceback goes to the log alone."""
    code = status_of(error)
    if isinstance(error, errors.SegIntError) and code is not grpc.StatusCode.INTERNAL:
        log.info("%s: %s", method, error.message, extra={"status": code.name})
        return code, _fitting(error.message)
    log.error("%s failed", method, exc_info=error, extra={"status": grpc.StatusCode.INTERNAL.name})
    details = f"The server failed; its log says more under the request id {request_id}."
    return grpc.StatusCode.INTERNAL, details


def _retry_s(error: Exception) -> float | None:
    return error.retry_s if isinstance(error, errors.TooOften) else None


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


async def _only(requests: AsyncIterator[bytes]) -> bytes:
    """Return the request of an RPC that has one."""
    async for request in requests:
        return request
    raise errors.UnparsableMessage("The call came without its request.")


async def _parse_stream(parser: Parser, requests: AsyncIterator[bytes], course: Course) -> AsyncIterator[Any]:
    async for request in requests:
        yield await course.take(_parse(parser, request))
    course.recheck()


async def _write_all(answers: Any, context: Context, course: Course) -> None:
    """Send what a handler yields, while its caller may still have it.

    One that writes to the context itself is only waited for.
    """
    if not inspect.isasyncgen(answers):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            course.recheck()
            await context.write(await course.give(answer))


def _behaviour(handler: Handler) -> Callable[..., Any]:
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    return next(behaviour for behaviour in kinds if behaviour is not None)

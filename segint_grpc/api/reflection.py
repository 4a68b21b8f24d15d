"""Server reflection, so that grpcurl and buf need no .proto files; v1 and v1alpha from one servicer.

The two versions' messages are the same on the wire, so v1's answer for both names.
https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor

# Imported so that clients can look v1alpha's own messages up too.
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha_pb2

from generated.grpc.reflection.v1 import reflection_pb2
from generated.grpc.reflection.v1.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from segint_grpc.api.doors import Registered

V1 = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
V1ALPHA = str(v1alpha_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name)

_POOL = descriptor_pool.Default()


class Reflection:
    """Answers what services there are and which files describe them."""

    def __init__(self, service_names: Sequence[str]) -> None:
        """List `service_names` (full names)."""
        self._service_names = sorted(service_names)

    async def ServerReflectionInfo(
        self, requests: AsyncIterator[ServerReflectionRequest], context: object
    ) -> AsyncIterator[ServerReflectionResponse]:
        """Answer each request in its turn."""
        async for request in requests:
            yield self.answer(request)

    def answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        """Return the answer to one request; what cannot be found is told in `error_response`."""
        response = ServerReflectionResponse(valid_host=request.host, original_request=request)
        try:
            self._fill(response, request)
        except KeyError as error:
            response.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            response.error_response.error_message = f"not found: {error.args[0]}"
        return response

    def _fill(self, response: ServerReflectionResponse, request: ServerReflectionRequest) -> None:
        match request.WhichOneof("message_request"):
            case "list_services":
                for name in self._service_names:
                    response.list_services_response.service.add(name=name)
            case "all_extension_numbers_of_type":
                message = _POOL.FindMessageTypeByName(request.all_extension_numbers_of_type)
                response.all_extension_numbers_response.base_type_name = message.full_name
                numbers = sorted(extension.number for extension in _POOL.FindAllExtensions(message))
                response.all_extension_numbers_response.extension_number.extend(numbers)
            case None:
                response.error_response.error_code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
                response.error_response.error_message = "the request asks for nothing"
            case _:
                files = _with_imports(_find_file(request), set())
                serialized = [file.serialized_pb for file in files]
                response.file_descriptor_response.file_descriptor_proto.extend(serialized)


def services(service_names: Sequence[str]) -> list[Registered]:
    """Return the reflection services, v1 and v1alpha, that list `service_names` and themselves."""
    servicer = Reflection([*service_names, V1, V1ALPHA])
    return [Registered(name, partial(_add, servicer, name)) for name in (V1, V1ALPHA)]


def _add(servicer: Reflection, name: str, server: grpc.aio.Server) -> None:
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        ServerReflectionRequest.FromString,
        ServerReflectionResponse.SerializeToString,
    )
    handlers = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))


def _find_file(request: ServerReflectionRequest) -> FileDescriptor:
    """Return the file that `request` asks for; raises KeyError where there is none."""
    if request.HasField("file_by_filename"):
        return _POOL.FindFileByName(request.file_by_filename)
    if request.HasField("file_containing_symbol"):
        return _find_symbol(request.file_containing_symbol)
    asked = request.file_containing_extension
    message = _POOL.FindMessageTypeByName(asked.containing_type)
    extension = _POOL.FindExtensionByNumber(message, asked.extension_number)
    return _POOL.FindFileContainingSymbol(extension.full_name)


def _find_symbol(name: str) -> FileDescriptor:
    """Return the file that declares `name`; the pool does not know methods, so their service is asked."""
    try:
        return _POOL.FindFileContainingSymbol(name)
    except KeyError:
        service, _, method = name.rpartition(".")
        return _POOL.FindServiceByName(service).methods_by_name[method].containing_service.file


def _with_imports(file: FileDescriptor, seen: set[str]) -> Iterator[FileDescriptor]:
    """Yield `file` and, each once, the files that it imports."""
    seen.add(file.name)
    yield file
    for imported in file.dependencies:
        if imported.name not in seen:
            yield from _with_imports(imported, seen)

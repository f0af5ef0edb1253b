"""A table from an http or https address that a request names (DALI 1.1 section 3.4.5).

Whoever can name an address can make this machine call it, so only public ones are called: every address that the name has is checked,
on each redirect again, and the connection goes to the address that was checked, not to what the name means a moment later. Size and
time are limited; proxies of the environment are not used, and no password is sent.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from catalog.version import VERSION
from tap_service.errors import ParameterError, TooLargeError
from tap_service.limits import Limits

_MOST_REDIRECTS = 4
_SILENT_SECONDS = 15.0
"""How long the other side may say nothing."""
_CHUNK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_HEADERS = {
    "Accept": "application/x-votable+xml, text/xml;q=0.9, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": f"kiel/{VERSION} (IVOA-TAP-upload)",
    "Connection": "close",
}
_REDIRECTS = (
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)


class TableFetch:
    """Fetches the tables of one request, which share its limits of size and time. ``fetch`` blocks; ``stop`` may be called from any thread and ends it at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._until = time.monotonic() + limits.upload_seconds
        self._size = 0
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._stopped = self._too_slow = False

    def fetch(self, url: str, target: BinaryIO) -> None:
        """The bytes at an address into ``target``; ParameterError or TooLargeError in words that name the address."""
        watch = threading.Timer(max(0.0, self._until - time.monotonic()), self._end, (True,))
        watch.daemon = True
        watch.start()
        try:
            self._follow(url, target)
        except (OSError, http.client.HTTPException) as error:
            if self._stopped:
                raise ParameterError(f"{url:.200} was no longer wanted.") from error
            if self._too_slow or isinstance(error, TimeoutError):
                raise ParameterError(
                    f"{url:.200} takes longer than {self._limits.upload_seconds:g} s in all or is silent too long."
                ) from error
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ParameterError(f"{url:.200} cannot be fetched: {reason:.200}.") from error
        finally:
            watch.cancel()

    def stop(self) -> None:
        """End the fetch; it raises ParameterError where it is."""
        self._end(False)

    def _end(self, too_slow: bool) -> None:
        with self._lock:
            self._stopped, self._too_slow = self._stopped or not too_slow, self._too_slow or too_slow
            if self._socket is not None:
                with suppress(OSError):
                    # Not the method of a TLS socket, which would take its session away from under the thread that reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _follow(self, url: str, target: BinaryIO) -> None:
        for _ in range(_MOST_REDIRECTS + 1):
            place = _split(url)
            connection = self._connect(place)
            try:
                path = quote(place.path or "/", safe="%/:=&~+!$,;'@()*[]")
                query = f"?{quote(place.query, safe='%/:=&?~+!$,;@()*[]')}" if place.query else ""
                connection.request("GET", path + query, headers=_HEADERS)
                response = connection.getresponse()
                if response.status in _REDIRECTS and (location := response.getheader("Location")):
                    url = _redirected(url, location)
                    continue
                if response.status != HTTPStatus.OK:
                    raise ParameterError(f"{url:.200} answers {response.status} {response.reason:.100}.")
                self._copy(url, response, target)
                return
            finally:
                connection.close()
        raise ParameterError(f"{url:.200} redirects more than {_MOST_REDIRECTS} times.")

    def _copy(self, url: str, response: http.client.HTTPResponse, target: BinaryIO) -> None:
        while chunk := response.read1(_CHUNK):
            self._size += len(chunk)
            if self._size > self._limits.upload_bytes:
                raise TooLargeError(
                    f"With {url:.200} the request's tables have more than {self._limits.upload_bytes} bytes, the most that this service takes."
                )
            target.write(chunk)
        if self._stopped or self._too_slow:
            raise ConnectionAbortedError
        if response.length:
            raise ParameterError(f"{url:.200} broke off: {response.length} bytes are missing.")

    def _connect(self, place: SplitResult) -> http.client.HTTPConnection:
        """A connection to a checked address of the host."""
        host, port = place.hostname or "", place.port or _PORTS[place.scheme]
        family, address = self._checked_address(host, port)
        plain = socket.socket(family, socket.SOCK_STREAM)
        with self._lock:
            if self._stopped or self._too_slow:
                plain.close()
                raise ConnectionAbortedError
            self._socket = plain
        try:
            plain.settimeout(_SILENT_SECONDS)
            plain.connect(address)
            connection = http.client.HTTPConnection(host, port, timeout=_SILENT_SECONDS)
            connection.sock = plain
            if place.scheme == "https":
                secure = ssl.create_default_context().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
                with self._lock:
                    self._socket = secure
                connection.sock = secure
                connection.default_port = _PORTS["https"]
                secure.do_handshake()
        except BaseException:
            (self._socket or plain).close()
            raise
        return connection

    def _checked_address(self, host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]:
        """The first address of a host, if all of them may be called."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ParameterError(f"The host {host:.100} is not known.") from error
        if not {host.lower(), f"{host.lower()}:{port}"} & self._limits.upload_hosts:
            for _, _, _, _, address in found:
                if not is_public(str(address[0])):
                    raise ParameterError(
                        f"The host {host:.100} is not on the public network; tables are fetched from public addresses only."
                    )
        family, _, _, _, address = found[0]
        return family, address  # type: ignore[return-value]


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ParameterError(f"{url:.200} redirects to {location!r:.200}, which is no address: {error}.") from error


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, also where an IPv6 address only wraps one of IPv4."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is None and parsed in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed not in _GLOBAL_UNICAST:
            return False
    return parsed.is_global and not parsed.is_multicast


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a translating gateway writes them (RFC 6052)."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that has ever been given out for the internet; ``is_global`` takes the old site-local addresses (fec0::/10) for it too."""


def _split(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError as error:
        raise ParameterError(f"{url!r:.200} is no address: {error}.") from error
    if place.scheme not in _PORTS or not place.hostname or port == 0:
        raise ParameterError(f"{url!r:.200} is no http or https address.")
    if place.username is not None or place.password is not None:
        raise ParameterError("An address with a user name or password is not called; send the table with the request.")
    return place

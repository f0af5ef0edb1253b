"""The service's addresses as its clients know them: what every document writes for capabilities, jobs, cones and links.

They follow the Host header of the request, or a public address that the operator gave, where a proxy stands before the service and changes
host, scheme or path.
"""

from starlette.requests import Request

TAP = "/tap"
CONES = "/scs"
DATALINK = "/datalink"


def root_address(request: Request) -> str:
    """The address that /tap, /scs and /datalink follow, without a slash at its end."""
    public: str | None = request.app.state.public_url
    return (public or str(request.base_url)).rstrip("/")


def links_address(request: Request) -> str:
    """The address of the DataLink documents."""
    return f"{root_address(request)}{DATALINK}/links"


def tap_address(request: Request) -> str:
    """The address of the TAP service, as people type it into clients."""
    return root_address(request) + TAP

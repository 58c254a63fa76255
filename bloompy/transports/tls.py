"""TLS as an option of the TCP transport."""

from __future__ import annotations

import ssl

from attrs import frozen


@frozen
class TLS:
    """TLS contexts of a node, from the standard library.

    Attributes:
        server: for connections from peers, with this node's certificate. With `verify_mode=ssl.CERT_REQUIRED` peers must
            show a certificate, and no shared secret is needed.
        client: for connections to peers, with the authorities that it trusts.
    """

    server: ssl.SSLContext
    client: ssl.SSLContext

    @property
    def authenticates(self) -> bool:
        """Whether peers that connect must show a certificate."""
        return self.server.verify_mode == ssl.CERT_REQUIRED

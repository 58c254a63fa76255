"""How frames travel between nodes."""

from bloompy.transports.memory import MemoryNetwork
from bloompy.transports.tcp import TcpTransport
from bloompy.transports.tls import TLS
from bloompy.transports.udp import UdpTransport

__all__ = ["TLS", "MemoryNetwork", "TcpTransport", "UdpTransport"]

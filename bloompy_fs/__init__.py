"""A replicated file system whose logic is rules: the Hadoop file system's design, after BOOM-FS (EuroSys 2010).

    from bloompy_fs import Client

    with Client("127.0.0.1:8001") as fs:
        fs.put("words.txt", "/words.txt")

Rules: `sessions`, `namespace`, `chunks`, `heartbeats`, `replication`, together the `NameNode`, and the `DataNode`.
Imperative: the data path (`chunkstore`, `wire`, `dataplane`), the client (`client`, `blocking`), the servers and commands.
"""

from bloompy_fs.blocking import Client
from bloompy_fs.client import AsyncClient
from bloompy_fs.datanode import DataNode
from bloompy_fs.errors import ChunkLost, FsError
from bloompy_fs.files import Chunk, Holder, Status
from bloompy_fs.namenode import NameNode
from bloompy_fs.servers import DataNodeServer, namenode_server

__all__ = [
    "AsyncClient",
    "Chunk",
    "ChunkLost",
    "Client",
    "DataNode",
    "DataNodeServer",
    "FsError",
    "Holder",
    "NameNode",
    "Status",
    "namenode_server",
]

"""`bloompy demo`: a small cluster of real processes that stores a text, loses a DataNode, and counts words all the same."""

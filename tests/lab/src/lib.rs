//! The laboratory: real systemd nodes in network namespaces, a switch, a client.

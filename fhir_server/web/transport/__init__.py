"""HTTP/1.1 on sockets, with limits that hold before a request exists, https://www.rfc-editor.org/rfc/rfc9112."""

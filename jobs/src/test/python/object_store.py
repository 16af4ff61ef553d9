"""A store of objects that are only read, with the part of S3's protocol that this takes."""

import contextlib
import email.utils
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_HEAD(self):
        self._answer_object(with_content=False)

    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "list-type" in query:
            self._answer_list(query.get("prefix", ""), query.get("delimiter", ""), int(query.get("max-keys", 1000)))
        else:
            self._answer_object(with_content=True)

    def _answer_list(self, prefix, delimiter, most):
        keys = [key for key in sorted(self.objects) if key.startswith(prefix)]
        folders = set()
        if delimiter:
            folders = {key[: key.index(delimiter, len(prefix)) + 1] for key in keys if delimiter in key[len(prefix) :]}
            keys = [key for key in keys if delimiter not in key[len(prefix) :]]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size><ETag>&quot;1&quot;</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
            for key in keys[:most]
        )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        self._answer(
            200,
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(keys[:most]) + len(folders)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{contents}{common}</ListBucketResult>".encode(),
            {"Content-Type": "application/xml"},
        )

    def _answer_object(self, with_content):
        key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
        if key not in self.objects:
            missing = b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>" if with_content else b""
            self._answer(404, missing, {"Content-Type": "application/xml"})
            return
        content = self.objects[key]
        headers = {"Last-Modified": email.utils.formatdate(1767225600, usegmt=True), "ETag": '"1"'}
        status = 200
        if with_content and "Range" in self.headers:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            end = min(int(last) + 1, len(content)) if last else len(content)
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
            content = content[int(first) : end]
            status = 206
        self._answer(status, content, headers, with_content)

    def _answer(self, status, content, headers, with_content=True):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, *ignored):
        """Prints nothing."""


@contextlib.contextmanager
def serve(objects):
    """Serves objects, by their keys, in any bucket; gives the address."""
    handler = type("Requests", (_Requests,), {"objects": objects})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()

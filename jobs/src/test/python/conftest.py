"""One Spark session with the plugin and the demo model, from the jar that the build has made.

Classic by default; with --connect the session is a client of a Spark Connect server, which is
started from the same PySpark.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys

import pyspark
import pytest
from pyspark.sql import SparkSession

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "python"))

import spark_mla  # noqa: E402: only importable now


def pytest_addoption(parser):
    parser.addoption("--connect", action="store_true", help="run over Spark Connect")
    parser.addoption("--beside", help="a folder of jars that Spark gets beside the one of Spark MLA")


@pytest.fixture(scope="session")
def settings():
    return {
        **spark_mla.settings(ROOT / "jobs" / "demo-model" / "model"),
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.mla.backend": "cpu",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
    }


@pytest.fixture(scope="session")
def spark(request, settings, tmp_path_factory):
    if request.config.getoption("--connect"):
        with connect_server(settings, tmp_path_factory.mktemp("connect")) as address:
            session = SparkSession.builder.remote(address).getOrCreate()
            yield session
            session.stop()
    else:
        session = SparkSession.builder.config(map=settings).getOrCreate()
        yield session
        session.stop()


@contextlib.contextmanager
def connect_server(settings, folder):
    """The server of the PySpark distribution, in a process of its own, working in `folder`."""
    for _ in range(3):  # A port that is free may be taken by another before the server has it.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = _start_server(settings, folder, port)
        try:
            if _serves(server, folder, port):
                yield f"sc://127.0.0.1:{port}"
                return
        finally:
            server.terminate()
            server.wait()
    pytest.fail(f"no server:\n{(folder / 'server.log').read_text('utf-8')}")


def _start_server(settings, folder, port):
    settings = {
        **settings,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    command = [str(pathlib.Path(pyspark.__file__).parent / "bin" / "spark-submit")]
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    with open(folder / "server.log", "ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def _serves(server, folder, port):
    """Whether the server is ready; not where its process has ended."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ready = grpc.channel_ready_future(channel)
        for _ in range(120):
            try:
                ready.result(timeout=1)
                return server.poll() is None
            except grpc.FutureTimeoutError:
                if server.poll() is not None:
                    return False
        pytest.fail(f"no server:\n{(folder / 'server.log').read_text('utf-8')}")


@pytest.fixture(scope="session")
def samples():
    """The first sample documents: id, document, question, expected, prompt."""
    with open(ROOT / "jobs" / "sample-data" / "documents.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(6), lines)]


@pytest.fixture(scope="session")
def documents(spark, samples):
    """The same as a view named documents."""
    schema = (
        "id STRING, document STRING, question STRING, expected STRING,"
        " prompt ARRAY<STRUCT<role STRING, content STRING>>"
    )
    frame = spark.createDataFrame(samples, schema)
    frame.createOrReplaceTempView("documents")
    return frame

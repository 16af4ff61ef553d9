"""The image file and the manifest of deploy/kubernetes: what they name is there, and they fit each other."""

import pathlib
import re
import shlex

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[4]
FOLDER = ROOT / "deploy" / "kubernetes"
CONTEXT = ROOT / "assembly" / "target"
NAMESPACE = "spark-mla"


@pytest.fixture(scope="module")
def manifest():
    """Its objects by kind; there is one of each."""
    objects = list(yaml.safe_load_all((FOLDER / "spark-mla.yaml").read_text("utf-8")))
    kinds = {each["kind"]: each for each in objects}
    assert len(kinds) == len(objects)
    return kinds


@pytest.fixture(scope="module")
def defaults(manifest):
    lines = manifest["ConfigMap"]["data"]["spark-defaults.conf"].splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


@pytest.fixture(scope="module")
def driver(manifest):
    return manifest["Job"]["spec"]["template"]["spec"]


def instructions():
    text = (FOLDER / "Containerfile").read_text("utf-8")
    return [line.split(maxsplit=1) for line in text.splitlines() if re.match("[A-Z]+ ", line)]


def test_the_image_copies_what_the_build_makes():
    copies = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
    own = [words for words in copies if not words[0].startswith("--from=")]
    assert f"-f {FOLDER.relative_to(ROOT)}/Containerfile {CONTEXT.relative_to(ROOT)}" in (
        FOLDER / "Containerfile"
    ).read_text("utf-8")

    (source, target) = own[0]

    assert len(own) == 1
    assert len(list(CONTEXT.glob(source))) == 1
    assert target == "/opt/spark/jars/spark-mla.jar"


def test_the_driver_runs_the_job_of_the_image(driver, defaults):
    (container,) = driver["containers"]
    command = container["command"]
    _, target = next(rest.split() for name, rest in instructions() if name == "COPY" and "--" not in rest)

    assert f"local://{target}" in command
    assert "--resume" in command
    assert container["image"] == defaults["spark.kubernetes.container.image"]
    folder = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert variables["SPARK_CONF_DIR"] == folder["conf"]
    assert "spark.kubernetes.driver.pod.name=$(POD_NAME)" in command
    assert "POD_NAME" in variables
    for option, name in (("--model", "models"), ("--input", "data"), ("--output", "data")):
        assert command[command.index(option) + 1].startswith(folder[name] + "/")


def test_driver_and_executors_see_the_same_volumes(manifest, driver, defaults):
    files = manifest["ConfigMap"]["data"]
    conf = next(mount for mount in driver["containers"][0]["volumeMounts"] if mount["name"] == "conf")
    template = defaults["spark.kubernetes.executor.podTemplateFile"]
    assert template.startswith(conf["mountPath"] + "/")
    executor = yaml.safe_load(files[template.rsplit("/", 1)[1]])["spec"]
    (container,) = executor["containers"]
    assert container["name"] == defaults["spark.kubernetes.executor.podTemplateContainerName"]

    def without_conf(parts):
        return [part for part in parts if part["name"] != "conf"]

    assert container["volumeMounts"] == without_conf(driver["containers"][0]["volumeMounts"])
    assert executor["volumes"] == without_conf(driver["volumes"])


def test_executors_find_the_driver(manifest, defaults):
    service = manifest["Service"]
    labels = manifest["Job"]["spec"]["template"]["metadata"]["labels"]

    assert service["spec"]["selector"].items() <= labels.items()
    assert defaults["spark.driver.host"] == f"{service['metadata']['name']}.{NAMESPACE}.svc"
    assert {str(port["port"]) for port in service["spec"]["ports"]} == {
        defaults["spark.driver.port"],
        defaults["spark.driver.blockManager.port"],
    }


def test_the_driver_may_make_executors(manifest, driver, defaults):
    account = manifest["ServiceAccount"]["metadata"]["name"]

    assert driver["serviceAccountName"] == account
    assert [subject["name"] for subject in manifest["RoleBinding"]["subjects"]] == [account]
    assert manifest["RoleBinding"]["roleRef"]["name"] == manifest["Role"]["metadata"]["name"]
    assert defaults["spark.kubernetes.namespace"] == NAMESPACE
    assert {
        each["metadata"].get("namespace", each["metadata"]["name"]) for each in manifest.values()
    } == {NAMESPACE}


def test_names_settings_that_there_are(defaults):
    known = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    for key, value in defaults.items():
        if key.startswith("spark.mla.") or "sparkmla" in value:
            assert f"`{key}`" in known
    assert float(defaults["spark.task.resource.gpu.amount"]) == 1 / int(defaults["spark.executor.cores"])

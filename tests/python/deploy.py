"""Reads what deploy/ has for others: every YAML and JSON file, and the chart. Prints as JSON what is asked of the server.

The chart is rendered here, by a reader of the few forms of Go's templates that it uses (a value, `| quote`, `| toJson`, `if` ...
`end`); any other form is an error. It is not helm: what helm itself would say is not known by this.
Usage: deploy.py ROOT [FILE]. FILE gets the objects of the chart.
"""

import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(sys.argv[1])
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "duckmesh"
METRIC = re.compile(r"\bduckmesh_[a-z_]+")


def documents(text):
    return [one for one in yaml.load_all(text, Loader=yaml.SafeLoader) if one is not None]


def value(path, scope, where):
    for word in path.split(".")[1:]:
        assert isinstance(scope, dict) and word in scope, f"{where}: no {path}"
        scope = scope[word]
    return scope


def render(text, scope, where):
    out, keep = [], [True]
    for line in text.splitlines():
        only = re.fullmatch(r"\s*\{\{-? *(.*?) *-?\}\}\s*", line)
        if only and only[1].startswith("if "):
            keep.append(keep[-1] and bool(value(only[1][3:].strip(), scope, where)))
        elif only and only[1] == "end":
            keep.pop()
            assert keep, f"{where}: end without if"
        elif keep[-1]:
            out.append(re.sub(r"\{\{ (\S+)(?: \| (\w+))? \}\}", lambda m: one(m, scope, where), line))
            assert "{{" not in re.sub(r"\{ \{\{", "", out[-1]), f"{where}: {line}"
    assert keep == [True], f"{where}: if without end"
    return "\n".join(out)


def one(match, scope, where):
    found = value(match[1], scope, where)
    match match[2]:
        case None:
            return str(found)
        case "quote":
            return json.dumps(str(found))
        case "toJson":
            return json.dumps(found)
        case other:
            raise AssertionError(f"{where}: {other} is not known")


def chart():
    about = documents((CHART / "Chart.yaml").read_text())[0]
    assert about["apiVersion"] == "v2" and re.fullmatch(r"\d+\.\d+\.\d+", about["version"]), about
    values = documents((CHART / "values.yaml").read_text())[0]
    objects = []
    for endpoint in ("", "https://s3.example.com"):
        values["storage"]["endpoint"] = endpoint
        scope = {
            "Values": values,
            "Release": {"Name": "demo", "Namespace": "lakes"},
            "Chart": {"AppVersion": about["appVersion"]},
        }
        objects = []
        for file in sorted((CHART / "templates").iterdir()):
            text = render(file.read_text(), scope, file.name)
            if file.suffix == ".yaml":
                objects += documents(text)
    names = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names)), names
    for o in objects:
        assert o["apiVersion"] and o["kind"], o
    deployments = [o for o in objects if o["kind"] == "Deployment"]
    assert not [o for o in objects if o["kind"] == "Service"], "without passwords nothing is served to a network"
    account = next(o for o in objects if o["kind"] == "ServiceAccount")["metadata"]["name"]
    for o in deployments:
        pod = o["spec"]["template"]
        labels = pod["metadata"]["labels"]
        assert o["spec"]["selector"]["matchLabels"].items() <= labels.items(), o["metadata"]
        assert pod["spec"]["serviceAccountName"] == account
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        container = pod["spec"]["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            program = container[probe]["exec"]["command"][0]
            assert (DEPLOY / pathlib.Path(program).name).exists(), probe
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert len(objects) >= 7, names
    roles = [e["value"] for o in deployments for e in o["spec"]["template"]["spec"]["containers"][0]["env"]
             if e["name"] == "DUCKMESH_ROLE"]
    assert sorted(roles) == ["coordinator", "gateway", "maintenance"], roles
    if len(sys.argv) > 2:
        pathlib.Path(sys.argv[2]).write_text(yaml.safe_dump_all(objects))
    return [f"{kind}/{name}" for kind, name in names]


def compose():
    stack = documents((DEPLOY / "compose.yaml").read_text())[0]
    services, volumes, networks = stack["services"], stack["volumes"], stack["networks"]
    roles = []
    for name, service in services.items():
        assert "image" in service, name
        for other in service.get("depends_on", []):
            assert other in services, f"{name} depends on {other}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), f"{name}: {source}"
        assert set(service.get("networks", [])) <= set(networks), name
        for address in ("DUCKMESH_LISTEN", "DUCKMESH_HTTP"):
            assert service.get("environment", {}).get(address, "127.0.0.1:").startswith("127.0.0.1:"), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port} to everybody"
        if "DUCKMESH_ROLE" in service.get("environment", {}):
            roles.append(service["environment"]["DUCKMESH_ROLE"])
    assert sorted(roles) == ["coordinator,maintenance"] * 2 + ["gateway"] * 2, roles
    scraped = documents((DEPLOY / "prometheus" / "prometheus.yml").read_text())[0]["scrape_configs"][0]["static_configs"]
    targets = [target for config in scraped for target in config["targets"]]
    own = [s["environment"]["DUCKMESH_HTTP"] for s in services.values() if s["image"] == "duckmesh:local"]
    assert sorted(targets) == sorted(own) and len(set(own)) == 4, targets
    return list(services)


def metrics():
    found = set()
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "duckmesh.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) and ids, ids
    for panel in board["panels"]:
        for target in panel["targets"]:
            found.update(METRIC.findall(target["expr"]))
    found.update(METRIC.findall(board["templating"]["list"][0]["query"]["query"]))
    for group in documents((DEPLOY / "prometheus" / "rules.yml").read_text())[0]["groups"]:
        for rule in group["rules"]:
            found.update(METRIC.findall(rule["expr"]))
            assert "record" in rule or {"summary", "description"} <= rule["annotations"].keys(), rule
    return sorted(found)


def environment():
    found, options = set(), set()
    for file in DEPLOY.rglob("*"):
        if file.is_file() and file.suffix not in (".sh", ".json"):
            found.update(re.findall(r"\bDUCKMESH_[A-Z_]+", file.read_text()))
    stack = (DEPLOY / "stack.sh").read_text()
    for line in stack.splitlines():
        if "args" in line:
            options.update(re.findall(r"--[a-z]+(?:-[a-z]+)*", line))
    return sorted(found), sorted(options)


def main():
    files = [file for file in DEPLOY.rglob("*") if file.suffix in (".yaml", ".yml") and "templates" not in file.parts]
    for file in files:
        assert documents(file.read_text()), file
    found, options = environment()
    print(json.dumps({
        "files": len(files), "services": compose(), "objects": chart(), "metrics": metrics(),
        "environment": found, "options": options,
    }))


main()

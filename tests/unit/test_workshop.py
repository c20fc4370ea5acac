"""The workshop's tools agree with each other: Makefile, tox.ini, pyproject.toml."""

import os
import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tools.catalogs
from schedules.testing import FakeHost

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = PROJECT["project"]["optional-dependencies"]


def versions(classifier):
    found = (re.fullmatch(rf"{classifier} :: (\d+\.\d+)", line) for line in PROJECT["project"]["classifiers"])
    return [match[1] for match in found if match]


def test_tox_has_a_row_for_each_supported_pair():
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    rows = {
        f"py{python}-django{django}"
        for line in tox["tox"]["env_list"].split()
        if (match := re.fullmatch(r"py\{?([\d,]+)\}?-django\{?([\d,]+)\}?", line))
        for python in match[1].split(",")
        for django in match[2].split(",")
    }
    pairs = {
        f"py{python}-django{django}".replace(".", "")
        for python in versions("Programming Language :: Python")
        for django in versions("Framework :: Django")
        if django.startswith("5.") or python != "3.11"  # Django 6 needs Python 3.12
    }
    assert rows == pairs


def test_help_names_every_target():
    targets = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split())
    assert set(re.findall(r'@echo "make ([\w-]+) ', MAKEFILE)) == targets - {"help"}


def test_each_extra_has_its_stamp():
    assert set(re.findall(r"\$\(VENV\)/\.installed-(\w+)$", MAKEFILE, re.M)) == EXTRAS.keys() - {"demo", "segment"}


def test_tox_checks_what_make_lint_checks():
    made = re.search(r"^lint: .+\n((?:\t.+\n)+)", MAKEFILE, re.M)[1].replace("$(BIN)/", "")
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    assert made.split() == tox["testenv:lint"]["commands"].split()


def test_what_a_change_must_pass_is_what_the_readme_says():
    run = ROOT / ".ci/run"
    assert os.access(run, os.X_OK)
    assert re.findall(r"^make [\w-]+$", run.read_text(encoding="utf-8"), re.M) == [
        "make test",
        "make coverage",
        "make lint",
        "make docs",
        "make test-browser",
        "make test-services",
    ]


def test_the_license_is_the_one_that_is_named():
    assert PROJECT["project"]["license"] == "AGPL-3.0-only"
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:100]
    assert "AGPL-3.0-only" in (ROOT / "README.rst").read_text(encoding="utf-8")


# The tests -----------------------------------------------------------------------------------------


def test_no_test_imports_another():
    of_a_test = re.compile(r"^\s*(?:from|import) tests\b.*\b(?:test_\w+|conftest)\b", re.M)
    paths = list((ROOT / "tests").rglob("*.py"))
    assert len(paths) > 100
    assert [path.name for path in paths if of_a_test.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_of_ours_is_replaced(monkeypatch):
    for ours in (tools.catalogs, "schedules.api.recover", FakeHost, FakeHost()):
        with pytest.raises(AssertionError, match="is ours"):
            monkeypatch.setattr(ours, "courses", None)
    imported = re.compile(
        r"^\s*(?:from unittest\.mock import .*\bpatch|import unittest\.mock)\b", re.M
    )  # the other way
    paths = (ROOT / "tests").rglob("*.py")
    assert [path.name for path in paths if imported.search(path.read_text(encoding="utf-8"))] == []


# What is installed ---------------------------------------------------------------------------------


def pins(name, python="3.11.9"):
    """Package -> its version, as a file of `requirements/` pins it for a Python on Linux."""
    environment = {**default_environment(), "python_version": python.rpartition(".")[0], "python_full_version": python}
    lines = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("#")]
    taken = [pin for pin in found if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({pin.name for pin in taken}) == len(taken)
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in taken}


def needed(*extras):
    """What pyproject.toml names for these extras, and what the extras that they name name."""
    for line in [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]:
        requirement = Requirement(line)
        if requirement.name == PROJECT["project"]["name"]:
            yield from needed(*requirement.extras)
        else:
            yield requirement


TOOLS = [
    Requirement(line) for line in (*PROJECT["dependency-groups"]["workshop"], *PROJECT["build-system"]["requires"])
]
PINNED = [
    pytest.param(f"django{django.replace('.', '')}", python, [*needed(*EXTRAS), *TOOLS], id=f"{python}-{django}")
    for python in versions("Programming Language :: Python")
    for django in versions("Framework :: Django")
    if django.startswith("5.") or python != "3.11"
]
OLDEST = pytest.param("oldest", "3.11", list(needed("test", "services")), id="oldest")


@pytest.mark.parametrize(("file", "python", "requirements"), [*PINNED, OLDEST])
def test_all_that_is_needed_is_pinned_to_a_version_in_its_range(file, python, requirements):
    pinned = pins(file, f"{python}.9")
    wrong = [
        str(one) for one in requirements if not one.specifier.contains(pinned.get(canonicalize_name(one.name), ""))
    ]
    assert wrong == [], "run `make update`"


@pytest.mark.parametrize("django", versions("Framework :: Django"))
def test_each_supported_django_has_its_pins(django):
    assert pins(f"django{django.replace('.', '')}", "3.13.9")["django"].startswith(f"{django}.")


def test_pins_name_no_index_no_path_and_no_file():
    for path in (ROOT / "requirements").iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9-]+==[\w.]+(?: ; [\w.=<>!'* ]+)?", line)] == []
        assert not re.search(r"/|--|://", "\n".join(lines)), path.name


def test_make_installs_nothing_without_the_pins():
    assert re.search(r"^PINS := requirements/django\d+\.txt$", MAKEFILE, re.M)
    (pip,) = re.findall(r"^PIP := (.+)\\\n\t(.+)$", MAKEFILE, re.M)
    assert "".join(pip).startswith("PIP_CONSTRAINT=$(PINS) PIP_BUILD_CONSTRAINT=$(PINS) $(BIN)/python -m pip install ")
    assert (
        len(re.findall(r"pip install|easy_install|uv sync|uv add|uv tool|uvx|pipx|npm i\b|npm install", MAKEFILE)) == 1
    )
    recipes = re.findall(r"^\t.*\$\(PIP\) (.+)$", MAKEFILE, re.M)
    assert sorted(recipes) == ['--editable ".[$*]"', '--editable ".[demo]"', "tox", "uv"]
    assert "$(PINS)" in re.search(r"^METADATA := (.+)$", MAKEFILE, re.M)[1].split()  # new pins are installed


def test_each_row_of_tox_installs_its_pins_and_newest_has_none():
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    lines = [line.split(": ") for line in tox["testenv"]["constraints"].split("\n") if line]
    files = {factor: file for factors, file in lines for factor in factors.split(", ")}
    djangos = {f"django{django.replace('.', '')}" for django in versions("Framework :: Django")}
    assert files == {
        **{django: f"requirements/{django}.txt" for django in djangos},
        **dict.fromkeys(("lint", "docs"), "requirements/django52.txt"),
        "oldest": "requirements/oldest.txt",
    }
    rows = {row for row in tox["tox"]["env_list"].split() if not row.startswith("py")}
    assert rows == {"oldest", "newest", "lint", "docs"}
    assert not any("deps" in tox[section] or "constraints" in tox[section] for section in tox if section != "testenv")


def test_update_renews_every_file_of_pins():
    recipe = re.search(r"^update: .+\n((?:\t.+\n)+)", MAKEFILE, re.M)[1]
    assert {path.name for path in (ROOT / "requirements").iterdir()} == set(
        re.findall(r"-o requirements/(\S+)", recipe)
    )
    (oldest,) = re.findall(r"^\t(.+) -o requirements/oldest\.txt$", recipe, re.M)
    assert "--resolution lowest-direct" in oldest
    pythons = dict(re.findall(r'"Django==([\d.]+)\.\*".+--python-version ([\d.]+)', recipe))
    assert pythons == {django: "3.11" if django == "5.2" else "3.12" for django in versions("Framework :: Django")}

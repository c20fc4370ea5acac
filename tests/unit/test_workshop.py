"""The workshop's tools agree with each other: Makefile, tox.ini, pyproject.toml."""

import os
import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


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
    extras = set(PROJECT["project"]["optional-dependencies"])
    assert set(re.findall(r"\$\(VENV\)/\.installed-(\w+)$", MAKEFILE, re.M)) == extras - {"demo", "segment"}


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
        "make lint",
        "make docs",
        "make test-browser",
        "make test-services",
    ]


def test_the_license_is_the_one_that_is_named():
    assert PROJECT["project"]["license"] == "AGPL-3.0-only"
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:100]
    assert "AGPL-3.0-only" in (ROOT / "README.rst").read_text(encoding="utf-8")

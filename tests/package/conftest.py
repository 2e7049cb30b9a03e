"""The wheel is built once, and unpacked beside a project of its own for each test."""

import pytest

from tests.support.wheel import Project, build, unpack


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def unpacked(wheel, tmp_path_factory):
    return unpack(wheel, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture
def project(unpacked, tmp_path):
    return Project(tmp_path, unpacked)

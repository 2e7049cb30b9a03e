"""The URL of the database: its password is shown nowhere, and nothing of PostgreSQL is needed without it."""

import subprocess
import sys
from pathlib import Path

import pytest

import config
from app import create_app
from config import ConfigError
from config.checks import without_password
from config.edit import without_secrets

URL = "postgresql://ann:s3cret@db1.example.com:5433,db2.example.com/scim?target_session_attrs=read-write"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'[store]\nurl = "{URL}"\n')
    return file


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, URL.replace(":s3cret", "")),
        ("postgres://ann:s3cret@/scim", "postgres://ann@/scim"),
        ("postgresql://ann:a@s3cret/:b@host/scim", "postgresql://ann@host/scim"),
        ("postgresql://host/x?password=s3cret&sslmode=require", "postgresql://host/x?sslmode=require"),
        ("postgresql://host/x?pass%77ord=s3cret", "postgresql://host/x?"),
        ("postgresql://host/x?sslpassword=s3cret&oauth_client_secret=s3cret", "postgresql://host/x?"),
        ("postgresql://[::1]:5432/x", "postgresql://[::1]:5432/x"),
        ("mailto:ann:x@example.com", "mailto:ann:x@example.com"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "host=db password=s3cret",
        "mysql://ann:s3cret@db/x",
        "postgresql:s3cret",
        "s3cret",
        "postgresql://ann:p@s3cret@db/x",
        "postgresql://ann:p/s3cret@db/x",
    ],
)
def test_another_url_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError, match=r"\[store\] url must be a URL like") as caught:
        config.parse({"store": {"url": url}})
    assert "s3cret" not in str(caught.value)


def test_a_url_that_libpq_cannot_read_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match=r"\[store\] url is not valid") as caught:
        create_app({"store": {"url": "postgresql://ann:s3cret%zz@db/x"}})
    assert "s3cret" not in str(caught.value)


def test_config_show_hides_the_password(file):
    output = create_app(file).test_cli_runner().invoke(args=["config", "show"]).output
    assert "postgresql://ann:***@db1.example.com:5433,db2.example.com/scim" in output
    assert "s3cret" not in output


def test_a_backup_of_the_configuration_has_no_password(file):
    text = without_secrets(file.read_text())
    assert "postgresql://ann@db1.example.com" in text
    assert "s3cret" not in text


def test_the_environment_may_name_a_file_with_the_url(file, monkeypatch, tmp_path):
    (tmp_path / "url").write_text("postgresql://other@db/scim\n")
    monkeypatch.setenv("TINYSCIM_STORE__URL_FILE", str(tmp_path / "url"))
    assert config.read(file).store.url == "postgresql://other@db/scim"


def test_missing_packages_are_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("storage.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'tinyscim\[postgres\]'"):
        create_app({"store": {"url": URL}})


def test_without_a_url_nothing_of_postgresql_is_imported():
    source = "import sys, app; app.create_app({}); sys.exit('psycopg' in sys.modules)"
    subprocess.run([sys.executable, "-c", source], cwd=Path(__file__).parents[2], check=True)

"""The log's files: size limit, complete lines, order of time."""

import errno
import json
import multiprocessing
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from config import ConfigError, parse
from provisioning_log.entries import Entry, Subject, timestamp
from provisioning_log.search import Criteria, matching, newest
from provisioning_log.segments import LogFiles


def line(number: float = 0, text: str = "") -> str:
    moment = 1_900_000_000 + number
    return Entry(time=timestamp(moment), id=f"{number}", actions=("updated",), status=200, path=text).to_line()


def ids(lines) -> list[str]:
    return [entry.id for entry in matching(lines, Criteria())]


@pytest.fixture
def files(tmp_path):
    return LogFiles(tmp_path / "sub" / "log.jsonl", 100_000, 90)


def test_lines_come_back_in_both_orders(files):
    files.append([line(1), line(2)])
    files.append([line(3)])
    assert ids(files.oldest_first()) == ["1", "2", "3"]
    assert ids(files.newest_first()) == ["3", "2", "1"]


def test_lines_that_workers_wrote_by_turns_come_in_the_order_of_time(files):
    files.append([line(1), line(4), line(6)])
    files.append([line(2), line(3), line(5)])
    assert ids(files.oldest_first()) == ["1", "2", "3", "4", "5", "6"]
    assert ids(files.newest_first()) == ["6", "5", "4", "3", "2", "1"]


def test_the_size_is_bounded_and_the_newest_stays(files):
    for number in range(300):
        files.append([line(number, "x" * 900)])
        assert sum(path.stat().st_size for path in files.path.parent.glob("*.jsonl")) <= 100_000
    kept = ids(files.oldest_first())
    assert kept == [str(number) for number in range(300 - len(kept), 300)]
    assert len(kept) > 70


def test_the_file_of_an_earlier_day_is_moved_aside(files):
    files.append([line(0)])
    files.append([line(1)])
    assert len(files.segments()) == 1  # the first line's day is not today
    assert ids(files.oldest_first()) == ["0", "1"]


def test_what_is_too_old_is_deleted(files):
    today = datetime.now(UTC)
    for days in (100, 91, 89, 1):
        files.append([Entry(time=timestamp(time.time()), id=str(days), actions=("lost",)).to_line()])
        moved = files.path.with_name(f"log.{today - timedelta(days=days):%Y%m%d-%H%M%S%f}.jsonl")
        files.path.rename(moved)
        then = (today - timedelta(days=days)).timestamp()
        os.utime(moved, (then, then))
    files.delete_expired()
    assert ids(files.oldest_first()) == ["89", "1"]


def test_tidying_where_nothing_is_does_nothing(files):
    files.delete_expired()
    assert not files.path.parent.exists()


def test_a_line_that_was_torn_by_a_crash_is_passed_over(files):
    files.append([line(1)])
    with files.path.open("a") as file:
        file.write('{"time":"2030-03-17T17:46:42.0')
    files.append([line(2)])
    assert ids(files.oldest_first()) == ["1", "2"]
    with files.path.open("a") as file:
        file.write("no JSON\n\n[]\n" + json.dumps({"time": "nonsense"}) + "\n")
    assert ids(files.newest_first()) == ["2", "1"]


def test_a_full_disk_leaves_no_half_line(files, monkeypatch):
    files.append([line(1)])
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fill_after(10, os.write))
        with pytest.raises(OSError, match="No space"):
            files.append([line(2), line(3)])
    files.append([line(4)])
    assert ids(files.oldest_first()) == ["1", "4"]
    assert b"\n\n" not in files.path.read_bytes()


def fill_after(count, write):
    """A disk that takes a few bytes and then is full."""
    room = [count]

    def limited(descriptor, data):
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= count
        return write(descriptor, data[:count])

    return limited


def append_many(path, worker):
    files = LogFiles(path, 200_000, 90)
    for number in range(100):
        files.append([line(number + worker / 10, f"{worker}.{number}.{'x' * 300}")])


def test_processes_share_the_files_and_lose_no_line(tmp_path):
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append_many, args=(path, worker)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    files = LogFiles(path, 200_000, 90)
    entries = list(matching(files.oldest_first(), Criteria()))
    assert len(entries) == len({entry.id for entry in entries}) == 400
    assert len(files.segments()) > 3


def test_followers_get_each_line_once_also_when_the_file_is_moved_aside(tmp_path):
    files = LogFiles(tmp_path / "log.jsonl", 100_000, 90)
    files.append([line(0)])
    coming, got = files.appended(), []
    got += ids(next(coming))
    for number in range(1, 60):
        files.append([line(number, "x" * 1_000)])
        got += ids(next(coming))
    for _ in range(20):
        got += ids(next(coming))
    assert got == [str(number) for number in range(1, 60)]


def test_a_copy_beside_the_files_is_neither_read_nor_deleted(files):
    files.append([line(0)])
    files.append([line(1)])  # moves the first aside
    segment = files.segments()[0]
    names = ("log.backup-2026.jsonl", "log.20260131-120000.jsonl", f"{segment.stem}.old.jsonl", f"{segment.name}.gz")
    copies = [files.path.with_name(name) for name in names]
    for copy in copies:
        copy.write_bytes(segment.read_bytes())
        os.utime(copy, (0, 0))
    files.delete_expired()
    assert ids(files.oldest_first()) == ["0", "1"]
    assert all(copy.exists() for copy in copies)


@pytest.mark.parametrize("length", [1, 60, 61, 62, 63, 64, 65, 200, 1_000])
def test_lines_come_back_whole_wherever_a_block_ends(files, monkeypatch, length):
    monkeypatch.setattr("provisioning_log.segments._BLOCK", 64)
    files.append([line(number, "x" * (length + number)) for number in range(8)])
    with files.path.open("a") as file:
        file.write(line(9)[:-1])  # is being written
    assert ids(files.newest_first()) == [str(number) for number in reversed(range(8))]
    assert [len(one) for one in files.oldest_first()] == [len(one) for one in reversed(list(files.newest_first()))]


def test_looking_for_what_is_new_stops_at_what_is_old():
    read = []

    def newest_first():
        for number in range(100, 0, -1):
            read.append(number)
            yield line(number).encode()

    found = newest(newest_first(), Criteria(since=timestamp(1_900_000_000 + 98)))
    assert [entry.id for entry in found] == ["100", "99", "98"]
    assert len(read) == 4


def test_entries_continue_after_the_last_one_of_a_page():
    lines = [line(number).encode() for number in (3, 2, 1)]
    assert [entry.id for entry in newest(lines, Criteria(), before="3")] == ["2", "1"]
    assert list(newest(lines, Criteria(), before="1")) == []


def test_a_log_that_is_too_large_to_be_served_is_refused():
    assert parse({"log": {"max_bytes": 200_000_000}}).log.max_bytes == 200_000_000
    with pytest.raises(ConfigError, match=r"max_bytes.*from 100000 to 200000000"):
        parse({"log": {"max_bytes": 200_000_001}})


def test_a_log_that_is_a_link_is_written_where_it_leads(tmp_path):
    path, target = tmp_path / "log.jsonl", tmp_path / "elsewhere.jsonl"
    path.symlink_to(target)
    LogFiles(path, 1_000_000, 1).append(["one"])
    assert target.read_text() == "one\n"
    assert path.is_symlink()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Jörg Müller", "jörg m"),
        ("JÖRG", "örg"),
        ('Pat "O\'Neill" \\ Smith', "o'neill\" \\ s"),
        ("\N{KELVIN SIGN}elvin", "kelvin"),
        ("Łukasz", "łUKASZ"),
        ("tab\there", "b\th"),
    ],
)
def test_names_are_found_in_any_case_and_with_any_characters(name, text):
    found = Entry(timestamp(1_900_000_000), "1", ("created",), who=Subject("a", "", name)).to_line().encode()
    assert [entry.who.name for entry in newest([found], Criteria(person=text))] == [name]
    assert list(newest([found], Criteria(person=f"{text}x"))) == []

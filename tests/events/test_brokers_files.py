"""A file, and standard input and output, as sink and source."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orderstate.events.brokers import Message, sink, source
from orderstate.events.brokers.files import StandardSource
from orderstate.events.outcomes import Later, Never


def event(number: int, key: str = "1001") -> Message:
    """One whose body says which it is."""
    body = f'{{"id":"{key}:{number}",\n "partitionkey":"{key}"}}'.encode()
    return Message(f"urn:test/{key}:{number}", key, "OrderPlaced", body)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_a_file_gets_a_line_for_each_event_and_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    for first in (0, 2):
        with sink(str(path)) as out:
            assert out.publish([event(first), event(first + 1, "1002")]) == [None, None]
    assert len(lines(path)) == 4
    assert lines(path)[0] == b'{"id":"1001:0",  "partitionkey":"1001"}'


def test_a_torn_last_line_is_cut_off_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"id":"1"}\n{"id":"2"}\n{"id":"3' + b"x" * 3_000_000)
    with sink(str(path)) as out:
        assert lines(path) == [b'{"id":"1"}', b'{"id":"2"}']
        assert out.publish([event(3)]) == [None]
    assert len(lines(path)) == 3


def test_a_file_that_is_one_torn_line_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"half")
    sink(str(path)).open()
    assert path.read_bytes() == b""


def test_a_batch_that_could_not_be_written_whole_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.ndjson"
    with sink(str(path)) as out:
        assert out.publish([event(0)]) == [None]
        before = path.read_bytes()

        def full(file: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        (answer,) = out.publish([event(1)])
        assert isinstance(answer, Later)
        assert (answer.counts, "No space left" in answer.reason) == (False, True)
        assert path.read_bytes() == before
        monkeypatch.undo()
        assert out.publish([event(1)]) == [None]
    assert len(lines(path)) == 2


def test_one_process_writes_a_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    first, second = sink(str(path)), sink(str(path))
    with first:
        (answer,) = second.publish([event(0)])
        assert isinstance(answer, Later)
        assert "written by another process" in answer.reason
    assert second.publish([event(0)]) == [None]
    second.close()


@pytest.mark.parametrize("where", ["no/such/folder/events.ndjson", "."])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, where: str) -> None:
    with pytest.raises(Never, match="cannot be written"):
        sink(str(tmp_path / where)).open()


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Never, match="no regular file"):
        sink(str(tmp_path / "pipe")).open()


def test_reading_a_file_resumes_behind_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    with sink(str(path)) as out:
        for number in range(6):
            out.publish([event(number)])
    with source(str(path)) as reader:
        first, second, third = reader.receive(3, 1)
        assert [one.key for one in (first, second, third)] == ["1001"] * 3
        first.done()
        third.done()
        second.again()
        assert reader.receive(1, 0)[0].body == second.body
    with source(str(path)) as reader:
        left = reader.receive(10, 1)
        assert left[0].body == second.body
        assert len(left) == 5
        for one in left:
            one.done()
    with source(str(path)) as reader, source(str(path), "others") as others:
        assert reader.receive(10, 0) == []
        assert len(others.receive(10, 0)) == 6
        assert not reader.ended


def test_a_line_without_its_end_waits_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"subject":"1"}\n{"subj')
    with source(str(path)) as reader:
        assert [one.key for one in reader.receive(10, 0)] == ["1"]
        assert reader.receive(10, 0) == []
        with path.open("ab") as file:
            file.write(b'ect":"2"}\nno json\n')
        assert [(one.key, one.body) for one in reader.receive(10, 1)] == [("2", b'{"subject":"2"}'), ("", b"no json")]


def test_a_file_that_is_missing_may_come_and_a_broken_position_is_said(tmp_path: Path) -> None:
    reader = source(str(tmp_path / "events.ndjson"))
    with pytest.raises(Later, match="No such file"):
        reader.open()
    (tmp_path / "events.ndjson").touch()
    (tmp_path / "events.ndjson.orderstate.position").write_text("here")
    with pytest.raises(Never, match="holds no position"):
        reader.open()


def test_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        reader = StandardSource(reading)
        os.write(writing, b'{"partitionkey":"1"}\n\n{"partitionkey":')
        assert [one.key for one in reader.receive(10, 5)] == ["1"]
        assert reader.receive(10, 0) == []
        assert not reader.ended
        os.write(writing, b'"2"}')
        os.close(writing)
        writing = -1
        (last,) = reader.receive(10, 5)
        assert last.key == "2"
        last.done()
        assert reader.receive(10, 5) == []
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)


def test_what_was_read_from_standard_input_can_come_again(tmp_path: Path) -> None:
    with (tmp_path / "in").open("wb+") as file:
        file.write(b"{}\n")
        file.seek(0)
        reader = StandardSource(file.fileno())
        (one,) = reader.receive(1, 1)
        one.again()
        (one,) = reader.receive(1, 1)
        one.done()
        assert reader.receive(1, 0) == []
        assert reader.ended


def test_standard_output_gets_whole_lines() -> None:
    code = (
        "from orderstate.events.brokers import Message, sink\n"
        "print(sink('-').publish([Message('a', 'b', 'c', b'{\\n}')] * 2), file=__import__('sys').stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"{ }\n{ }\n", b"[None, None]\n")


def test_standard_output_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(Gone()))
        (answer,) = sink("-").publish([event(0)])
    assert isinstance(answer, Later)
    assert "Broken pipe" in answer.reason

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


@pytest.mark.parametrize("rotated", [True, False])
def test_a_file_that_is_taken_away_between_two_calls_is_made_anew(tmp_path: Path, rotated: bool) -> None:
    path, old = tmp_path / "events.ndjson", tmp_path / "events.ndjson.1"
    with sink(str(path)) as out:
        assert out.publish([event(0)]) == [None]
        if rotated:
            path.rename(old)
        else:
            path.unlink()
        assert out.publish([event(1), event(2, "1002")]) == [None, None]
        assert out.publish([event(3)]) == [None]
    assert [b"1001:1" in lines(path)[0], len(lines(path))] == [True, 3]
    assert not rotated or len(lines(old)) == 1


@pytest.mark.parametrize("replaced", [True, False])
def test_what_went_into_a_file_that_was_taken_away_meanwhile_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    path, old = tmp_path / "events.ndjson", tmp_path / "events.ndjson.1"
    real = os.fsync

    def moved(file: int) -> None:
        real(file)
        if not old.exists():
            path.rename(old)
            if replaced:
                path.touch()

    with sink(str(path)) as out:
        monkeypatch.setattr(os, "fsync", moved)
        assert out.publish([event(0)]) == [None]
    assert lines(path) == lines(old) == [b'{"id":"1001:0",  "partitionkey":"1001"}']


def test_a_file_that_is_always_taken_away_confirms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.ndjson"
    real = os.fsync

    def removed(file: int) -> None:
        real(file)
        path.unlink(missing_ok=True)

    with sink(str(path)) as out:
        monkeypatch.setattr(os, "fsync", removed)
        (answer,) = out.publish([event(0)])
        assert isinstance(answer, Later)
        assert (answer.counts, "moved away" in answer.reason) == (False, True)
        monkeypatch.undo()
        assert out.publish([event(0)]) == [None]
    assert len(lines(path)) == 1


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


def read_all(path: Path) -> list[bytes]:
    """What is new to the group, all of it done."""
    with source(str(path)) as reader:
        found = reader.receive(1000, 0)
        for one in found:
            one.done()
    return [one.body for one in found]


def test_blank_lines_are_no_messages_and_are_passed(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'\n{"id":"1"}\n\n \t\r\n{"id":"2"}\n\n')
    assert read_all(path) == [b'{"id":"1"}', b'{"id":"2"}']
    with path.open("ab") as file:
        file.write(b'\n{"id":"3"}\n')
    assert read_all(path) == [b'{"id":"3"}']


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("longer", [0, 3])
def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path, moved: bool, longer: int) -> None:
    path, other = tmp_path / "e1", tmp_path / "e2"
    first = [b'{"id":"a%03d"}' % number for number in range(500)]
    second = [b'{"id":"b%03d"}' % number for number in range(500 + longer)]
    path.write_bytes(b"\n".join(first) + b"\n")
    assert read_all(path) == first
    other.write_bytes(b"\n".join(second) + b"\n")
    if moved:
        other.replace(path)
    else:
        path.write_bytes(other.read_bytes())
    assert read_all(path) == second
    assert read_all(path) == []


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_file_that_is_replaced_under_its_reader_is_read_from_its_start(
    tmp_path: Path, moved: bool, size: int
) -> None:
    path, other = tmp_path / "e1", tmp_path / "e2"
    path.write_bytes(b'{"id":"a"}\n' * 3)
    with source(str(path)) as reader:
        out = reader.receive(10, 0)
        assert len(out) == 3
        other.write_bytes(b'{"id":"b"}\n' * size)
        if moved:
            other.replace(path)
        else:
            path.write_bytes(other.read_bytes())
        assert reader.receive(10, 0) == []
        for one in out:
            one.done()
        found = reader.receive(10, 1)
        assert [one.body for one in found] == [b'{"id":"b"}'] * size
        for one in found:
            one.done()
    assert read_all(path) == []


def test_a_file_that_is_rotated_is_read_to_its_end_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    with sink(str(path)) as out, source(str(path)) as reader:
        bodies = []
        for number in range(4):
            out.publish([event(number)])
            if number == 1:
                path.rename(tmp_path / "events.ndjson.1")
                found = reader.receive(10, 0)
                assert len(found) == 2, "the name leads nowhere, and the rest is still read"
                bodies += [one.body for one in found]
                for one in found:
                    one.done()
        bodies += [one.body for one in reader.receive(10, 1)]
    assert [body[7:13] for body in bodies] == [b"1001:0", b"1001:1", b"1001:2", b"1001:3"]


def test_a_torn_line_that_is_mended_under_a_reader_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"id":"1"}\n{"id":"to')
    with source(str(path)) as reader:
        (one,) = reader.receive(10, 0)
        one.done()
        with sink(str(path)) as out:
            out.publish([event(2)])
        assert [one.body for one in reader.receive(10, 1)] == [b'{"id":"1001:2",  "partitionkey":"1001"}']


def test_a_position_stands_before_the_oldest_that_is_not_done(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    made = [b'{"id":"%05d"}' % number for number in range(2000)]
    path.write_bytes(b"\n".join(made) + b"\n")
    with source(str(path)) as reader:
        out = reader.receive(2000, 0)
        for one in out[:1234] + out[1235:]:
            one.done()
    assert read_all(path) == made[1234:]


def test_a_position_of_an_earlier_version_is_gone_on_from(tmp_path: Path) -> None:
    path, position = tmp_path / "events.ndjson", tmp_path / "events.ndjson.orderstate.position"
    path.write_bytes(b'{"id":"1"}\n{"id":"2"}\n')
    position.write_text("11\n", encoding="ascii")
    assert read_all(path) == [b'{"id":"2"}']
    assert position.read_text(encoding="ascii").split()[0] == "22"
    for elsewhere in ("12\n", "23\n", "0\n"):
        position.write_text(elsewhere, encoding="ascii")
        assert read_all(path) == [b'{"id":"1"}', b'{"id":"2"}'], elsewhere


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

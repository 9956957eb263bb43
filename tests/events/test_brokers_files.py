"""A file, and standard input and output, as sink and source."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orderstate.events.brokers import Message, Received, Source, sink, source
from orderstate.events.brokers.message import LARGEST, Cut
from orderstate.events.brokers.standard import StandardSource
from orderstate.events.outcomes import Later, Never


def event(number: int, key: str = "1001") -> Message:
    """One whose body says which it is."""
    body = line(number, key).replace(b",  ", b",\n ")
    return Message(f"urn:test/{key}:{number}", key, "OrderPlaced", body)


def line(number: int, key: str = "1001") -> bytes:
    """How it stands in a file."""
    found = f'{{"id":"{key}:{number}",  "partitionkey":"{key}","specversion":"1.0","source":"/","type":"OrderPlaced"}}'
    return found.encode()


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_a_file_gets_a_line_for_each_event_and_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    for first in (0, 2):
        with sink(str(path)) as out:
            assert out.publish([event(first), event(first + 1, "1002")]) == [None, None]
    assert len(lines(path)) == 4
    assert lines(path)[0] == line(0)


def test_a_torn_last_line_is_cut_off_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(line(1) + b"\n" + line(2) + b'\n{"id":"3' + b"x" * 3_000_000)
    with sink(str(path)) as out:
        assert lines(path) == [line(1), line(2)]
        assert out.publish([event(3)]) == [None]
    assert len(lines(path)) == 3


@pytest.mark.parametrize("torn", [b"{", b'{"specversion":"1.0","id":"10', b'{"specversion": "1.0", "id": "10'])
@pytest.mark.parametrize("before", [b"", b"\n \n"])
def test_a_file_that_is_one_torn_line_of_ours_is_emptied(tmp_path: Path, before: bytes, torn: bytes) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(before + torn)
    with sink(str(path)):
        assert path.read_bytes() == before


def test_an_event_that_lacks_its_line_end_only_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"specversion":"1.0","id":"1","source":"/shop","type":"PlaceOrder"}')
    with sink(str(path)) as out:
        assert out.publish([event(2)]) == [None]
    assert lines(path) == [b'{"specversion":"1.0","id":"1","source":"/shop","type":"PlaceOrder"}', line(2)]


@pytest.mark.parametrize(
    "content",
    [
        b"SQLite format 3\x00" + b"\n\x00" * 5000,
        b"my diary, without a line end",
        b"my diary\n",
        b"my diary\n\n\nto be gone on with",
        line(1) + b"\nmy diary\n",
        b'{"name": "no event"}\n{"spec',
        b'{"specversion":"1.0"}\n',
        b"[" * 100_000 + b"\n",
        b'{"name": "x"',
        b"\xff\xfe\n",
    ],
)
def test_what_is_not_ours_is_neither_cut_nor_written_behind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    out = sink(str(path))
    with pytest.raises(Never, match="holds something else"):
        out.open()
    (answer,) = out.publish([event(0)])
    assert isinstance(answer, Later)
    assert not answer.counts
    assert path.read_bytes() == content


def test_the_last_line_is_found_however_long_it_is(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    long = Message("urn:test/1", "1", "T", line(1)[:-1] + b',"data":"' + b"x" * 200_000 + b'"}')
    for _ in range(2):
        with sink(str(path)) as out:
            assert out.publish([long]) == [None]
    assert len(lines(path)) == 2


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
    assert lines(path) == lines(old) == [line(0)]


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
    path.write_bytes(line(1) + b'\n{"id":"to')
    with source(str(path)) as reader:
        (one,) = reader.receive(10, 0)
        one.done()
        with sink(str(path)) as out:
            out.publish([event(2)])
        assert [one.body for one in reader.receive(10, 1)] == [line(2)]


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


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    path.mkdir() if what == "folder" else os.mkfifo(path)
    with pytest.raises(Never, match="no regular file: name a file, or - for standard input"):
        source(str(path)).receive(1, 0)


def long_line(size: int) -> bytes:
    return b'{"id":"long","data":"' + b"x" * (size - 23) + b'"}'


@contextmanager
def reader_of(data: bytes, folder: Path, standard: bool) -> Iterator[Source]:
    """A FILE with these bytes, or standard input that brings them."""
    path = folder / "in"
    path.write_bytes(data)
    with path.open("rb") as file:
        yield StandardSource(file.fileno()) if standard else source(str(path))


def everything(reader: Source) -> list[Received]:
    """Read until a call brings nothing and takes nothing more."""
    found: list[Received] = []
    taken = -1
    while taken != reader.taken:
        taken = reader.taken
        while got := reader.receive(1000, 0):
            found += got
    return found


@pytest.mark.parametrize("standard", [False, True])
def test_of_a_line_that_is_too_long_the_beginning_is_kept_with_what_the_whole_came_to(
    tmp_path: Path, standard: bool
) -> None:
    fits, long = long_line(LARGEST), long_line(5 * LARGEST)
    data = b"\n".join([fits, long, b" " * 3 * LARGEST, b"{}", b""])
    with reader_of(data, tmp_path, standard) as reader:
        first, kept, last = (one.body for one in everything(reader))
    assert (first, last) == (fits, b"{}")
    assert not isinstance(first, Cut)
    assert isinstance(kept, Cut)
    assert kept == long[: LARGEST + 1]
    assert (kept.size, kept.digest) == (len(long), hashlib.sha256(long).hexdigest())


@pytest.mark.parametrize("standard", [False, True])
def test_a_line_that_does_not_end_holds_up_nobody_and_takes_no_room(tmp_path: Path, standard: bool) -> None:
    with reader_of(b"x" * 40 * LARGEST, tmp_path, standard) as reader:
        tracemalloc.start()
        try:
            calls = 0
            while reader.begun < 40 * LARGEST:
                assert reader.receive(10, 0) == []
                calls += 1
            assert calls > 10, "each call comes back before the whole is read"
            assert tracemalloc.get_traced_memory()[1] < 12 * LARGEST
        finally:
            tracemalloc.stop()


def test_a_place_behind_a_long_line_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"\n".join([long_line(3 * LARGEST), b"{}", long_line(2 * LARGEST), b""]))
    with source(str(path)) as reader:
        found = everything(reader)
        for one in found[:2]:
            one.done()
    assert len(found) == 3
    with source(str(path)) as reader:
        (left,) = everything(reader)
        left.done()
    assert left.body == found[2].body
    assert read_all(path) == []


def test_what_has_no_line_end_is_counted_after_the_close_too(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b'{"id":"1"}\n{"id":')
    with source(str(path)) as reader:
        reader.receive(10, 0)
    assert reader.begun == 6


def test_two_of_a_group_keep_their_places_without_disturbing_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in"
    path.write_bytes(b'{"id":"1"}\n')
    first, second = source(str(path)), source(str(path))
    for reader in (first, second):
        (one,) = reader.receive(1, 0)
        one.done()
    real = Path.replace

    def at_the_same_time(draft: Path, target: Path) -> Path:
        monkeypatch.undo()
        assert second.receive(1, 0) == []  # keeps its own place between the draft of the first and its name
        return real(draft, target)

    monkeypatch.setattr(Path, "replace", at_the_same_time)
    assert first.receive(1, 0) == []
    for reader in (first, second):
        reader.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "in.orderstate.position"]


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

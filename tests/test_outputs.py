"""Files that people name to be written: whole or not at all, and what is told where they cannot be."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from orderstate import outputs
from orderstate.errors import Damaged, InvalidInput, NotFound, OrderstateError, ReadOnly, Refused
from orderstate.outputs import Output


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "report"
    outputs.write(file, "old")
    with Output(file) as out:
        assert out.write("new") == 3
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    with pytest.raises(UnicodeEncodeError):
        outputs.write(file, "half \ud800")
    assert file.read_text() == "new"
    assert names(tmp_path) == ["report"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_broken_off_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def break_off() -> None:
        with Output(tmp_path / "report") as out:
            out.write("half")
            raise error

    with pytest.raises(error):
        break_off()
    assert names(tmp_path) == []


def test_a_full_disk_leaves_the_older_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report"
    file.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OrderstateError, match="report cannot be written: No space left on device") as caught:
            outputs.write(file, "new")
    assert (caught.value.code, caught.value.exit_status, file.read_text()) == ("disk_full", 1, "old")
    assert names(tmp_path) == ["report"]


def test_what_could_not_be_written_is_never_put_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("old")
    out = Output(file)
    out.drop()
    out.keep()
    assert file.read_text() == "old"


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    for file in (old, tmp_path / "new"):
        outputs.check(file)
    outputs.check(tmp_path / "new", new=True)
    assert (names(tmp_path), old.read_text()) == (["old"], "old")


def test_a_folder_no_name_and_a_missing_folder_are_told_apart(tmp_path: Path) -> None:
    for name in (".", "/", "./", ".."):
        with pytest.raises(InvalidInput) as caught:
            outputs.check(name, "-o")
        assert str(caught.value) == f"-o: {name} is a folder, not a file"
    with pytest.raises(InvalidInput, match="-o: the name is empty"):
        outputs.check("", "-o")
    with pytest.raises(NotFound) as missing:
        outputs.check(tmp_path / "no where" / "x", "-o")
    assert missing.value.code == "no_folder"
    assert missing.value.hint == f"mkdir -p '{tmp_path / 'no where'}'"
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match=r"there is no folder .*file") as inside:
        outputs.check(tmp_path / "file" / "x")
    assert inside.value.hint is None


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_the_name_that_was_given_is_told_with_the_cause(number: int) -> None:
    found = outputs.unwritable("here/x", OSError(number, os.strerror(number), "here/.orderstate-1"))
    assert isinstance(found, ReadOnly)
    assert found.sentence == f"here/x cannot be written: {os.strerror(number)}"


def test_a_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report"
    file.write_text("old")
    real = os.open

    def refuse(path: str, flags: int, *more: int) -> int:
        if path == str(file):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ReadOnly, match="report cannot be written: Permission denied"):
        outputs.write(file, "new")
    assert file.read_text() == "old"


def test_a_file_in_a_folder_that_takes_no_new_ones_is_written_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report"
    file.write_text("something older")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        patched.setattr(os, "access", lambda *_: False)
        outputs.check(file)
    assert file.read_text() == "something older"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        patched.setattr(os, "access", lambda *_: False)
        outputs.write(file, "new")
    assert file.read_text() == "new"


def test_the_mode_of_an_older_file_and_a_link_to_it_stay(tmp_path: Path) -> None:
    file, link = tmp_path / "report", tmp_path / "link"
    file.touch()
    file.chmod(0o640)
    link.symlink_to("report")
    outputs.write(link, "new")
    assert (link.is_symlink(), file.read_text(), file.stat().st_mode & 0o777) == (True, "new", 0o640)


def test_a_new_file_has_the_mode_that_all_new_files_have(tmp_path: Path) -> None:
    outputs.write(tmp_path / "ours", "x")
    (tmp_path / "theirs").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    outputs.write(tmp_path / ("x" * 255), "new")
    assert names(tmp_path) == ["x" * 255]


def test_devices_and_pipes_are_written_as_they_are(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    outputs.write(pipe, "through")
    reader.join()
    assert (read, names(tmp_path)) == ([b"through"], ["pipe"])
    outputs.write("/dev/null", "nowhere")
    with pytest.raises(OrderstateError, match="/dev/full cannot be written: No space left") as caught:
        outputs.write("/dev/full", "nowhere")
    assert caught.value.code == "disk_full"


def test_what_stdout_leads_to_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out"
    with file.open("wb") as out:
        outputs.write(f"/dev/fd/{out.fileno()}", "shown")
        assert os.path.samestat(os.fstat(out.fileno()), file.stat())
    assert file.read_text() == "shown"


# New files


def test_new_files_are_all_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {str(tmp_path / name): name for name in "abc"}
    real = os.link
    for error in (KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):

        def fail(source: Path, target: str, error: BaseException = error) -> None:
            if target.endswith("c"):
                raise error
            real(source, target)

        with monkeypatch.context() as patched:
            patched.setattr(os, "link", fail)
            patched.setattr(os, "rename", full)
            with pytest.raises((KeyboardInterrupt, OrderstateError)):
                outputs.write_new(files)
        assert names(tmp_path) == []
    outputs.write_new(files)
    assert names(tmp_path) == ["a", "b", "c"]


def test_nothing_is_written_where_one_of_many_is_there(tmp_path: Path) -> None:
    (tmp_path / "b").symlink_to("nowhere")
    with pytest.raises(Refused, match="b exists already") as caught:
        outputs.write_new({str(tmp_path / name): name for name in "abc"})
    assert (caught.value.code, names(tmp_path)) == ("file_exists", ["b"])


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    file = tmp_path / "new"

    def none(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", none)
    with pytest.raises(Refused, match="exists already"), Output(file, new=True):
        file.write_text("theirs")
    assert (file.read_text(), names(tmp_path)) == ("theirs", ["new"])
    file.unlink()
    outputs.write_new({str(file): "ours"})
    assert (file.read_text(), names(tmp_path)) == ("ours", ["new"])


# Files that nobody keeps


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OrderstateError("full", code="disk_full"),
        Damaged("disk I/O error"),
    ],
)
def test_a_full_folder_for_temporary_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError | OrderstateError
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fill() -> None:
        with outputs.temporary("orderstate-test-") as folder:
            if isinstance(error, OrderstateError):
                error.values["path"] = str(folder / "x")
            raise error

    with pytest.raises(OrderstateError) as caught:
        fill()
    assert caught.value.sentence == f"the folder for temporary files is full: {tmp_path}"
    assert (caught.value.code, caught.value.hint) == ("disk_full", "TMPDIR=FOLDER names one with more room")
    assert names(tmp_path) == []


def test_other_errors_pass_a_temporary_folder_as_they_are() -> None:
    for error in (PermissionError(errno.EACCES, "no"), Damaged("elsewhere", path="/elsewhere/x"), Refused("no")):
        with pytest.raises(type(error)) as caught, outputs.temporary("orderstate-test-"):
            raise error
        assert caught.value is error

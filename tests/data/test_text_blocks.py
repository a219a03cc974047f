"""Text in any encoding arrives whole, in order, and damaged bytes are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kilocell.data.errors import ReadError
from kilocell.data.readers.text_blocks import HEAD_BYTES, head_block, split_lines, text_blocks

printable = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), max_size=30)
line_lists = st.lists(printable, min_size=1, max_size=30).filter(lambda lines: bool(lines[-1]))


# What a block's end may cut in two, among what it may not: line ends, characters of several bytes, quotes, padding.
pieces = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"a", b"1,2", b'"', b'"a,b"', "°".encode(), "😀".encode(), b"\xb0", b" \xff\xff\t"]
)


def read(path: Path, block_bytes: int = 64) -> list[str]:
    return [line for block in text_blocks(path, block_bytes) for line in split_lines(block)]


def read_or_refuse(path: Path, block_bytes: int) -> list[str] | str:
    try:
        return read(path, block_bytes)
    except ReadError:
        return "refused"


@settings(deadline=None)
@given(
    lines=line_lists,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    closed=st.booleans(),
    packed=st.booleans(),
    block_bytes=st.integers(1, 200),
)
@example(lines=["0"], encoding="utf-8", end="\r\n", closed=True, packed=False, block_bytes=6)
def test_lines_come_back_whatever_encoding_line_ends_packing_and_block_size(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    encoding: str,
    end: str,
    closed: bool,
    packed: bool,
    block_bytes: int,
) -> None:
    lines = ["first", *lines]  # a file that starts with U+FEFF would have another encoding than meant
    path = tmp_path_factory.mktemp("text") / "lines.csv"
    content = (end.join(lines) + (end if closed else "")).encode(encoding)
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read(path, block_bytes) == lines
    numbers = [block.first_line for block in text_blocks(path, block_bytes)]
    counts = [len(split_lines(block)) for block in text_blocks(path, block_bytes)]
    assert numbers == [1 + sum(counts[:place]) for place in range(len(counts))]


@settings(deadline=None, max_examples=200)
@given(content=st.lists(pieces, max_size=14).map(b"".join), utf16=st.booleans(), block_bytes=st.integers(1, 12))
def test_where_blocks_end_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, utf16: bool, block_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "mixed.csv"
    path.write_bytes(content.decode("utf-8", "replace").encode("utf-16") if utf16 else content)
    assert read_or_refuse(path, block_bytes) == read_or_refuse(path, 1000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_block_may_end_inside_a_line_end_or_a_character(tmp_path: Path, end: str, encoding: str) -> None:
    path = tmp_path / "cut.csv"
    lines = ["T/°C", "", "😀,0"]
    mark = "\ufeff" if encoding == "utf-16-be" else ""  # this codec writes none
    path.write_bytes((mark + end.join(lines)).encode(encoding))
    for block_bytes in range(1, 40):
        assert read(path, block_bytes) == lines, f"in blocks of {block_bytes} bytes"


@pytest.mark.parametrize("block_bytes", [1, 4, 5, 64])
def test_old_mac_line_ends(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "mac.csv"
    path.write_bytes(b"a,b\r1,2\r3,4")
    assert read(path, block_bytes) == ["a,b", "1,2", "3,4"]


@pytest.mark.parametrize("block_bytes", [1, 7, 64])
def test_a_lone_carriage_return_ends_no_line(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "cr.csv"
    path.write_bytes(b"a,b\n1,x\ry\n3,4\r\r\n")
    assert read(path, block_bytes) == ["a,b", "1,x y", "3,4 "]


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_what_ends_a_line_is_found_behind_a_first_line_of_any_length(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"x" * (HEAD_BYTES - 1) + end + b"1,2" + end)  # of the two bytes one is behind the 128 KiB
    assert [len(line) for line in read(path, HEAD_BYTES)] == [HEAD_BYTES - 1, 3]
    assert len(split_lines(head_block(path))[0]) == HEAD_BYTES - 1


def test_latin1_where_the_bytes_are_plausible(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("T/°C,µ\n".encode("latin-1") + b"1,2\n" * 50 + "für\n".encode("latin-1"))
    assert read(path)[0] == "T/°C,µ"
    assert read(path)[-1] == "für"


@pytest.mark.parametrize(
    ("content", "line", "place"),
    [
        (b"a,b\n1,2\n3,\xff\xfe\x00\n", 3, 5),
        (b"a,b\n1,2\n3,\x00\x00\x00", 3, 3),
        (b"a,b\n1,\x81\n", 2, 3),
        ("a,°\n".encode() + b"1,\xb0\n", 2, 3),
        (b"T/\xb0C\n1\n\x81\n", 3, 1),
        (b"note \xff\xff\t\n1, \xff\t\x81\n", 2, 6),  # padding in front of it, which is taken out
    ],
)
def test_damaged_bytes_are_named_with_file_line_and_byte(tmp_path: Path, content: bytes, line: int, place: int) -> None:
    path = tmp_path / "damaged.csv"
    path.write_bytes(content)
    for block_bytes in (4, 1000):
        with pytest.raises(ReadError, match=rf"damaged\.csv: line {line}: byte {place} of the line \(0x"):
            read(path, block_bytes)


def test_damage_far_into_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"1,2,3\n" * 10_000 + b"1,\x00,3\n")
    with pytest.raises(ReadError, match=r"line 10001: byte 3 of the line \(0x00, byte 60002 of the file\)"):
        read(path, 4096)


def test_cut_utf16_is_a_read_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-16") + b"\x31")
    with pytest.raises(ReadError, match=r"cut\.csv: after line \d+: byte \d+ .* not UTF-16"):
        read(path, 1000)


def test_no_file_and_a_folder_are_read_errors(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"gone\.csv: the file cannot be opened: No such file"):
        head_block(tmp_path / "gone.csv")
    with pytest.raises(ReadError, match="cannot be opened: Is a directory"):
        head_block(tmp_path)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    assert split_lines(head_block(path)) == []

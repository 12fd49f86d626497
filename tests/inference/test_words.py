"""Words from files, and when they are said."""

import pytest

from affuse.errors import AffuseError
from affuse.inference.words import Cue, Word, parse_cues, place, read_transcript, speech_with, text_between
from affuse.media.speech import Span

SRT = """\ufeff1
00:00:01,000 --> 00:00:02,500
<i>Good</i> morning,
everyone

2
01:02:03,004 --> 01:02:04,000 X1:40 X2:600
{\\an8}Tom &amp; Ann

3
00:00:09,000 --> 00:00:09,000
no time at all
"""
VTT = """WEBVTT - a title

NOTE 00:01 --> is no cue

STYLE
::cue { color: red }

intro
00:01.500 --> 00:02.000 align:start
<v Ann>so <00:01.700>then</v>
"""


def test_srt_and_vtt(tmp_path):
    (tmp_path / "a.srt").write_text(SRT, encoding="utf-8")
    (tmp_path / "a.vtt").write_text(VTT.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert read_transcript(tmp_path / "a.srt").cues == [
        Cue(1.0, 2.5, "Good morning, everyone"), Cue(3723.004, 3724.0, "Tom & Ann"),
    ]  # fmt: skip
    assert read_transcript(tmp_path / "a.vtt").cues == [Cue(1.5, 2.0, "so then")]


def test_fractions_of_any_length():
    assert parse_cues("00:00:01,5 --> 00:00:02,25\nx")[0][:2] == (1.5, 2.25)


def test_tables_with_and_without_times(tmp_path):
    (tmp_path / "timed.csv").write_text("start,end,text\n0.5,1,yes\n2,3, \n4,5,no\n")
    (tmp_path / "plain.tsv").write_text("who\ttext\na\tyes\nb\tno\n")
    assert read_transcript(tmp_path / "timed.csv").cues == [Cue(0.5, 1.0, "yes"), Cue(4.0, 5.0, "no")]
    assert read_transcript(tmp_path / "plain.tsv").cues == [Cue(None, None, "yes no")]


def test_a_cues_time_goes_to_its_words_by_their_letters():
    words = place([Cue(10, 20, "a bbbb ccccc")], [])
    assert words == [Word(10, 11, "a"), Word(11, 15, "bbbb"), Word(15, 20, "ccccc")]


def test_a_cue_lingers_but_its_words_are_said_in_the_speech():
    speech = [Span(1, 2), Span(9, 11)]
    assert place([Cue(0, 6, "aa bb")], speech) == [Word(1, 1.5, "aa"), Word(1.5, 2, "bb")]


def test_a_cue_without_speech_is_speech_that_was_missed():
    cues = [Cue(0, 1.5, "a"), Cue(3, 4, "b"), Cue(3.5, 5, "c"), Cue(None, None, "d")]
    assert speech_with(cues, [Span(1, 2), Span(9, 11)], 12.0) == [Span(1, 2), Span(3, 5), Span(9, 11)]
    assert speech_with(cues, [Span(1, 2), Span(9, 11)], 4.5) == [Span(1, 2), Span(3, 4.5), Span(9, 11)]


def test_words_without_times_fill_the_speech_and_only_it():
    speech = [Span(1, 2), Span(5, 8)]
    words = place([Cue(None, None, "aa bb cc dd")], speech)
    assert words == [Word(1, 2, "aa"), Word(5, 6, "bb"), Word(6, 7, "cc"), Word(7, 8, "dd")]
    assert text_between(words, 0, 4) == "aa"  # a word belongs where its middle is
    assert text_between(words, 4, 7) == "bb cc"
    assert place([Cue(None, None, "aaa b")], [Span(0, 2), Span(5, 7)])[0] == Word(
        0, 2, "aaa"
    )  # its larger part
    assert place([Cue(None, None, "aa")], []) == [Word(0, 0, "aa")]


def test_utf16_with_its_mark_is_read(tmp_path):
    (tmp_path / "a.txt").write_text("grün", encoding="utf-16")
    assert read_transcript(tmp_path / "a.txt").cues == [Cue(None, None, "grün")]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "latin.txt",
            "grün".encode("latin-1"),
            r"latin.txt is not UTF-8 text \(byte 3 is 0xfc\); save it as UTF-8",
        ),
        ("zero.txt", b"a\0b\0", "zero.txt is no text file"),
        ("blank.txt", b" \n", "blank.txt has no words in it"),
        ("none.srt", b"hello there\n", "none.srt has no SRT cue in it"),
        ("none.csv", b"start,end\n1,2\n", "none.csv has no column text"),
        ("empty.csv", b"", "empty.csv is no table"),
        (
            "when.csv",
            b"start,end,text\n1,soon,x\n",
            "when.csv, row 1: start '1' and end 'soon' must be seconds",
        ),
        (
            "back.srt",
            b"1\n00:00:01,000 --> 00:00:02,000\nx\n\n2\n00:00:05,000 --> 00:00:02,000\ny\n",
            "back.srt, cue 2: 00:00:05,000 --> 00:00:02,000 ends before it starts; correct its times",
        ),
        ("back.csv", b"start,end,text\n2,1,x\n", "back.csv, row 1: end 1 is not after start 2"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AffuseError, match=said):
        read_transcript(tmp_path / name)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(AffuseError, match="There is no text file"):
        read_transcript(tmp_path / "gone.srt")

"""Words from files, and when they are said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from affuse.errors import AffuseError, ClipError
from affuse.inference.companions import WordFolder
from affuse.inference.words import (
    Cue,
    Transcript,
    Word,
    fit,
    parse_cues,
    place,
    read_transcript,
    speech_with,
    text_between,
)
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


def test_srt_and_vtt(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT, encoding="utf-8")
    (tmp_path / "a.vtt").write_text(VTT.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert read_transcript(tmp_path / "a.srt").cues == [
        Cue(1.0, 2.5, "Good morning, everyone"), Cue(3723.004, 3724.0, "Tom & Ann"),
        Cue(9.0, 9.5 + 0.067 * 14, "no time at all"),  # as long as its letters take
    ]  # fmt: skip
    assert read_transcript(tmp_path / "a.vtt").cues == [
        Cue(1.5, 2.0, "so then", (Word(1.5, 1.7, "so"), Word(1.7, 2.0, "then")))
    ]


def test_fractions_of_any_length() -> None:
    assert parse_cues("00:00:01,5 --> 00:00:02,25\nx")[0][:2] == (1.5, 2.25)


def test_tables_with_and_without_times(tmp_path: Path) -> None:
    (tmp_path / "timed.csv").write_text("start,end,text\n0.5,1,yes\n2,3, \n4,5,no\n")
    (tmp_path / "plain.tsv").write_text("who\ttext\na\tyes\nb\tno\n")
    assert read_transcript(tmp_path / "timed.csv").cues == [Cue(0.5, 1.0, "yes"), Cue(4.0, 5.0, "no")]
    assert read_transcript(tmp_path / "plain.tsv").cues == [Cue(None, None, "yes no")]


def test_a_cues_time_goes_to_its_words_by_their_letters() -> None:
    words = place([Cue(10, 20, "a bbbb ccccc")], [])
    assert words == [Word(10, 11, "a"), Word(11, 15, "bbbb"), Word(15, 20, "ccccc")]


def test_a_cue_lingers_but_its_words_are_said_in_the_speech() -> None:
    speech = [Span(1, 2), Span(9, 11)]
    assert place([Cue(0, 6, "aa bb")], speech) == [Word(1, 1.5, "aa"), Word(1.5, 2, "bb")]


def test_a_cue_without_speech_is_speech_that_was_missed() -> None:
    cues = [Cue(0, 1.5, "a"), Cue(3, 4, "b"), Cue(3.5, 5, "c"), Cue(None, None, "d")]
    assert speech_with(cues, [Span(1, 2), Span(9, 11)], 12.0) == [Span(1, 2), Span(3, 5), Span(9, 11)]
    assert speech_with(cues, [Span(1, 2), Span(9, 11)], 4.5) == [Span(1, 2), Span(3, 4.5), Span(9, 11)]


def test_words_without_times_fill_the_speech_and_only_it() -> None:
    speech = [Span(1, 2), Span(5, 8)]
    words = place([Cue(None, None, "aa bb cc dd")], speech)
    assert words == [Word(1, 2, "aa"), Word(5, 6, "bb"), Word(6, 7, "cc"), Word(7, 8, "dd")]
    assert text_between(words, 0, 4) == "aa"  # a word belongs where its middle is
    assert text_between(words, 4, 7) == "bb cc"
    assert place([Cue(None, None, "aaa b")], [Span(0, 2), Span(5, 7)])[0] == Word(
        0, 2, "aaa"
    )  # its larger part
    assert place([Cue(None, None, "aa")], []) == [Word(0, 0, "aa")]


def test_utf16_with_its_mark_is_read(tmp_path: Path) -> None:
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
        ("zero.txt", b"a\0b\0", "zero.txt is not a text file"),
        ("blank.txt", b" \n", "blank.txt has no words in it"),
        ("none.srt", b"hello there\n", "none.srt has no SRT cue in it"),
        ("none.csv", b"start,end\n1,2\n", "none.csv has no column text"),
        ("empty.csv", b"", "empty.csv has no header"),
        (
            "when.csv",
            b"start,end,text\n1,soon,x\n",
            "when.csv, row 2: start '1' and end 'soon' must be seconds",
        ),
        (
            "back.srt",
            b"1\n00:00:01,000 --> 00:00:02,000\nx\n\n2\n00:00:05,000 --> 00:00:02,000\ny\n",
            "back.srt, cue 2: 00:00:05,000 --> 00:00:02,000 ends before it starts; correct its times",
        ),
        ("back.csv", b"start,end,text\n2,1,x\n", "back.csv, row 2: end 1 is not after start 2"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AffuseError, match=said):
        read_transcript(tmp_path / name)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="There is no text file"):
        read_transcript(tmp_path / "gone.srt")


# SRT and VTT as they are found


@pytest.mark.parametrize(
    ("name", "text", "cues"),
    [
        (
            "no-blank-lines.srt",
            "1\n00:00:01,000 --> 00:00:02,000\nhello\n2\n00:00:02,000 --> 00:00:03,000\n1984\n"
            "3\n00:00:03 --> 00:00:04\nAt 3\n",
            [Cue(1, 2, "hello"), Cue(2, 3, "1984"), Cue(3, 4, "At 3")],
        ),
        (
            "no-fractions.srt",
            "1\n00:00:01 --> 00:00:03\nhello\n\n2\n00:00:04 --> 00:00:05\n1984\n",
            [Cue(1, 3, "hello"), Cue(4, 5, "1984")],
        ),
        (
            "no-numbers-no-hours.srt",
            "00:01.5 --> 00:02,000\nhello\n1984\n00:02:000 -> 00:03.000\n1985\n\n00: 00: 03,000 --> 00:00:04, 000\n7\n",
            [Cue(1.5, 2, "hello 1984"), Cue(2, 3, "1985"), Cue(3, 4, "7")],
        ),
        (
            "numbers-repeated.srt",
            "\ufeff1\r00:00:01,000 --> 00:00:02,000\rhello\r\r1\r00:00:02,000 --> 00:00:03,000\r10\r\r20\r",
            [Cue(1, 2, "hello"), Cue(2, 3, "10 20")],
        ),
        (
            "double-spaced.srt",
            "1\n\n00:00:01,000 --> 00:00:02,000\n\nhello\n\n2\n\n00:00:02,000 --> 00:00:03,000\n\n1984\n\n",
            [Cue(1, 2, "hello"), Cue(2, 3, "1984")],
        ),
        (
            "stream.vtt",
            "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nREGION\nid:fred\n\n"
            "first\n00:01.000 --> 00:02.000 line:0\nhello\n\n"
            "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nNOTE not\nsaid\n\n"
            "00:03.000 --> 00:04.000\nyou\n",
            [Cue(1, 2, "hello"), Cue(3, 4, "you")],
        ),
        (
            "who-and-what-else.srt",
            "1\n00:00:01,000 --> 00:00:02,000\nANNA: hi (laughs)\n- You.\n\n"
            "2\n00:00:02,000 --> 00:00:03,000\n[Music]\n\n"
            "3\n00:00:03,000 --> 00:00:04,000\n>> Speaker 1: Note: \u266a la\n",
            [Cue(1, 2, "hi You."), Cue(3, 4, "Note: la")],
        ),
    ],
)
def test_subtitles_as_they_are_found(tmp_path: Path, name: str, text: str, cues: list[Cue]) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert read_transcript(tmp_path / name).cues == cues


def test_a_line_of_times_that_cannot_be_read_is_no_speech(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nx\n\n2\n00:00:0l,000 --> 00:00:03,000\ny\n"
    )
    with pytest.raises(AffuseError, match=r"a\.srt, line 6: '00:00:0l,000 --> 00:00:03,000' is not a time"):
        read_transcript(tmp_path / "a.srt")


ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.389 align:start position:0%
@
we<00:00:00.560><c> say</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
we say
@

00:00:02.399 --> 00:00:04.470 align:start position:0%
we say
no<00:00:02.639><c> no</c><00:00:02.800><c> no</c>

00:00:04.470 --> 00:00:04.480 align:start position:0%
no no no
@

00:00:04.480 --> 00:00:06.470 align:start position:0%
no no no
no<00:00:04.639><c> no</c>
""".replace("@", " ")


def test_rolling_captions_say_each_line_once_at_its_own_time() -> None:
    cues = parse_cues(ROLLING)
    assert [cue[:3] for cue in cues] == [
        (0.16, 2.389, "we say"),
        (2.399, 4.47, "no no no"),
        (4.48, 6.47, "no no"),
    ]
    assert cues[1].words == (Word(2.399, 2.639, "no"), Word(2.639, 2.8, "no"), Word(2.8, 4.47, "no"))
    bare = re.sub("<[^>]*>|align.*", "", ROLLING.partition("en\n\n")[2]).replace(".", ",")
    assert [cue[:3] for cue in parse_cues(bare)] == [cue[:3] for cue in cues]


def test_three_lines_that_roll_without_times_of_words() -> None:
    shown = ["a b", "a b\nc d", "a b\nc d\ne f", "c d\ne f\ng h"]
    text = "".join(f"{i}\n00:00:0{i},000 --> 00:00:0{i + 1},000\n{s}\n\n" for i, s in enumerate(shown))
    assert [cue.text for cue in parse_cues(text)] == ["a b", "c d", "e f", "g h"]


def test_what_is_said_twice_counts_twice() -> None:
    shown = ["Run!", "Run!\nGo!", "la la", "la la", "no\nno", "no\nyes"]
    text = "".join(f"{i}\n00:00:0{i},000 --> 00:00:0{i + 1},000\n{s}\n\n" for i, s in enumerate(shown))
    assert [cue.text for cue in parse_cues(text)] == ["Run!", "Run! Go!", "la la", "la la", "no no", "no yes"]


# other formats

WHISPER = {
    "text": "",
    "segments": [
        {
            "start": 0.0, "end": 2.0, "text": " in 1984, well-known [Music].",
            "words": [
                {"word": " in", "start": 0.1, "end": 0.5}, {"word": " 1984,", "start": 0.5, "end": 1.0},
                {"word": " well", "start": 1.0, "end": 1.2}, {"word": "-known", "start": 1.2, "end": 1.5},
                {"word": " [Music].", "start": 1.5, "end": 2.0},
            ],
        },
        {"start": 2.0, "end": 3.0, "text": " yes"},
    ],
}  # fmt: skip
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
3
<exists>
2
"IntervalTier"
"Anna - words"
0
3
4
0
1
""
1
1.5
"he""llo"
1.5
2
"you"
2
3
"sil"
"IntervalTier"
"Anna - phones"
0
3
1
0
3
"AH"
"""
ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,a note
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Anna,0,0,0,,{\\i1}Hello,{\\i0}\\Nyou
Dialogue: 1,0:00:01.00,0:00:02.50,Default,Anna,0,0,0,,Hello,\\Nyou
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}
"""
TIMED = (Word(0.1, 0.5, "in"), Word(0.5, 1.0, "1984,"), Word(1.0, 1.5, "well-known"))


@pytest.mark.parametrize(
    ("name", "data", "cues"),
    [
        ("whisper.json", WHISPER, [Cue(0, 2, "in 1984, well-known", TIMED), Cue(2, 3, "yes")]),
        ("whisper.txt", WHISPER, [Cue(0, 2, "in 1984, well-known", TIMED), Cue(2, 3, "yes")]),
        (
            "whisperx.json",
            {"segments": [{"start": 0.0, "end": 3.0, "text": "in 84 we", "words": [
                {"word": "in", "start": 0.1, "end": 0.5}, {"word": "84"}, {"word": "we", "start": 2.0, "end": 2.5},
            ]}], "word_segments": []},
            [Cue(0, 3, "in 84 we", (Word(0.1, 0.5, "in"), Word(0.5, 2.0, "84"), Word(2.0, 2.5, "we")))],
        ),
        ("cpp.json", {"transcription": [{"offsets": {"from": 0, "to": 2000}, "text": " hi"}]}, [Cue(0, 2, "hi")]),
        ("fast.json", [{"start": 0, "end": 1.5, "text": " hi", "words": None}], [Cue(0, 1.5, "hi")]),
        (
            "pipeline.json",
            {"text": "", "chunks": [{"timestamp": [0, 1], "text": "a"}, {"timestamp": [1, None], "text": "b"}]},
            [Cue(0, 1, "a"), Cue(1, 1.567, "b")],
        ),
        (
            "words.json",
            {"words": [{"word": "a", "start": 0, "end": 0.4}, {"word": "b", "start": 1.5, "end": 2}]},
            [Cue(0, 0.4, "a", (Word(0, 0.4, "a"),)), Cue(1.5, 2, "b", (Word(1.5, 2, "b"),))],
        ),
        ("text.json", {"text": " only text"}, [Cue(None, None, "only text")]),
        ("grid.TextGrid", GRID, [Cue(1, 2, 'he"llo you', (Word(1, 1.5, 'he"llo'), Word(1.5, 2, "you")))]),
        ("lines.ass", ASS, [Cue(1, 2.5, "Hello, you")]),
        (
            "song.lrc",
            "[ar:X]\n[offset:+500]\n[00:01.00]one\n[00:02.00][00:08.00]chorus\n[00:03.50]\n",
            [Cue(0.5, 1.5, "one"), Cue(1.5, 3.0, "chorus"), Cue(7.5, 7.5 + 0.5 + 6 * 0.067, "chorus")],
        ),
        ("talk.sbv", "0:00:01.000,0:00:02.000\nhello\nyou\n\n0:00:02.000,0:00:03.5\nagain\n",
         [Cue(1, 2, "hello you"), Cue(2, 3.5, "again")]),
        ("talk.ctm", ";; made\ntalk 1 0.11 0.25 HI 0.9\ntalk 1 0.36 0.1 ALL 1\ntalk 1 2.0 0.1 <eps>\n",
         [Cue(0.11, 0.46, "HI ALL", (Word(0.11, 0.36, "HI"), Word(0.36, 0.46, "ALL")))]),
        ("film.sub", "{1}{1}25\n{25}{50}hello|you\n", [Cue(1, 2, "hello you")]),
        ("printed.txt", "[00:00.000 --> 00:04.000]  Hello\n[4.00s -> 5.00s] you\n",
         [Cue(0, 4, "Hello"), Cue(4, 5, "you")]),
        ("labels.txt", "1.000000\t2.000000\thello\n\\\t100\t200\n", [Cue(1, 2, "hello")]),
        ("srt.txt", "1\n00:00:01,000 --> 00:00:02,000\nhello\n", [Cue(1, 2, "hello")]),
        ("prose.txt", "Jose\u0301 (really)\n", [Cue(None, None, "Jos\u00e9 (really)")]),
    ],
)  # fmt: skip
def test_other_formats(
    tmp_path: Path,
    name: str,
    data: dict[str, list[dict[str, Any]] | str] | list[dict[str, float | str | None]] | str,
    cues: list[Cue],
) -> None:
    text = data if isinstance(data, str) else json.dumps(data)
    (tmp_path / name).write_text(text, encoding="utf-16" if name == "grid.TextGrid" else "utf-8")
    found = read_transcript(tmp_path / name).cues
    assert [cue[2:3] for cue in found] == [cue[2:3] for cue in cues]
    for one, other in zip(found, cues, strict=True):
        assert one[:2] == pytest.approx(other[:2]) if other.start is not None else one == other
        assert [w.text for w in one.words] == [w.text for w in other.words]
        assert [w[:2] for w in one.words] == [pytest.approx(w[:2]) for w in other.words]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.eaf", b"<?xml ?>", "a.eaf is ELAN, which is not read as words; save them as SRT or plain text. affuse"),
        ("a.docx", b"PK\x03\x04", "a.docx is Word, which is not read"),
        ("a.ttml", b"<tt>", "a.ttml is TTML, which is not read"),
        ("a.txt", b"%PDF-1.4", "a.txt is a PDF document, no text"),
        ("b.txt", b"{\\rtf1 hi}", "b.txt holds RTF, which is not read as words"),
        ("c.srt", b"<!DOCTYPE html><p>hi", "c.srt holds XML or HTML"),
        ("a.foo", b"hello", r"a.foo ends in .foo, which affuse does not know; if it is plain text, call it .txt"),
        ("a.json", b'{"events": [1]}', r"a.json is JSON of a shape that affuse does not know \(events\)"),
        ("b.json", b"{", "b.json is not JSON that can be read"),
        ("c.json", b'[{"start": "x", "end": 1, "text": "a"}]', "segment 1: start 'x' and end 1 must be seconds"),
        ("a.TextGrid", b'File type = "ooTextFile"\nObject', "a.TextGrid cannot be read as a TextGrid"),
        ("a.ctm", b"f 1 0.1 0.1 A\ng 1 0.1 0.1 B\n", r"the words of 2 recordings \(f, g"),
        ("a.sub", b"{25}{50}hello\n", "counts pictures and does not say how many"),
        ("begin.csv", b"begin,finish,text\n0,1,hi\n", "begin.csv has times in begin and no columns start and end"),
        ("half.csv", b"start,text\n0,hi\n", "half.csv has times in start and no columns start and end"),
        ("clips.csv", b"path,text\na.wav,hi\nb.wav,you\n", "the words of 2 clips by its column path"),
        ("commas.csv", b"start,end,text\n0,1,yes, I do\n", "row 2 has 4 cells and the header 3"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AffuseError, match=said):
        read_transcript(tmp_path / name)


def test_a_comma_at_the_end_of_each_row_and_other_cases(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Start,End,Text,speaker,\n0.5,1,yes,anna,\n")
    assert read_transcript(tmp_path / "a.csv").cues == [Cue(0.5, 1.0, "yes")]


# the clip's length

ROWS = 'start\tend\ttext\n0\t1480\t"Hello," she said\n1480\t3400\tgood morning to you\n'


def test_whispers_milliseconds_are_read_as_such_and_seconds_stay(tmp_path: Path) -> None:
    (tmp_path / "ms.tsv").write_text(ROWS)
    fitted = fit(read_transcript(tmp_path / "ms.tsv"), 3.5)
    assert fitted == ([Cue(0, 1.48, '"Hello," she said'), Cue(1.48, 3.4, "good morning to you")], [], [])
    told = fit(read_transcript(tmp_path / "ms.tsv"), 7200.0)
    assert told.cues == fitted.cues
    assert "ms.tsv are taken for milliseconds" in told.notes[0]
    (tmp_path / "s.csv").write_text("start,end,text\n0,2,good morning to you\n2,9,all of you\n")
    fitted = fit(read_transcript(tmp_path / "s.csv"), 9.0)
    assert fitted == ([Cue(0, 2, "good morning to you"), Cue(2, 9, "all of you")], [], [])


def test_other_times_that_look_like_milliseconds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"start": 0, "end": 3400, "text": "good morning"}]')
    with pytest.raises(
        ClipError, match=r"a.json has times up to 3400 for a clip of 3.50 s: that looks like milliseconds"
    ):
        fit(read_transcript(tmp_path / "a.json"), 3.5)


def test_hours_and_minutes_are_no_milliseconds(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:00,500 --> 00:59:02,000\ngood morning\n")
    (told,) = fit(read_transcript(tmp_path / "a.srt"), 16.0).strange
    assert "ends far beyond the clip's 16.00 s, at 3542.00 s" in told


def test_a_cue_that_ends_far_beyond_the_clip_is_told() -> None:
    cues = [Cue(0, 1, "good morning"), Cue(2, 60, "a text of another and a longer clip, as its time says")]
    assert fit(Transcript(cues, Path("a.srt")), 3.5).strange == [
        "1 of the 2 cues ends far beyond the clip's 3.50 s, at 60.00 s: does a.srt belong to this clip?"
    ]
    assert fit(Transcript([Cue(2, 5, "good morning")]), 3.5).strange == []  # subtitles linger


def test_words_with_times_of_their_own_keep_them_but_in_a_pause() -> None:
    cue = Cue(0, 4, "a b c", (Word(0.5, 0.7, "a"), Word(2.2, 2.4, "b"), Word(3.5, 4, "c")))
    placed = place([cue], [Span(0, 2), Span(3, 4)])
    assert placed[0] == Word(0.5, 0.7, "a")
    assert placed[2] == Word(3.5, 4, "c")
    assert text_between(placed, 0, 2) == "a b"  # the nearest speech


# a folder of words


@pytest.mark.parametrize(
    ("clip", "files", "found"),
    [
        ("b.wav", ["b.wav.srt"], ["b.wav.srt"]),
        ("c.wav", ["C.SRT"], ["C.SRT"]),
        ("d.wav", ["d.tsv", "dd.tsv"], ["d.tsv"]),
        ("talk.mp4", ["talk.en.srt", "talk.pt-BR.vtt", "talk.v2.srt"], ["talk.en.srt", "talk.pt-BR.vtt"]),
        ("a.wav", ["._a.srt", ".a.srt", "a.eaf", "a.labels.txt"], []),
        ("Jose\u0301.wav", ["Jos\u00e9.json"], ["Jos\u00e9.json"]),
        ("a.wav", ["a.txt", "a.srt", "a.json", "a.wav.txt"], ["a.wav.txt", "a.srt", "a.json", "a.txt"]),
        ("talk.wav", ["talk.en.srt"], []),  # it is talk.en.wav's
    ],
)
def test_the_files_of_words_of_a_clip(tmp_path: Path, clip: str, files: list[str], found: list[str]) -> None:
    for name in files:
        (tmp_path / name).write_text("x")
    batch = [Path(clip), *([Path("talk.en.wav")] if clip == "talk.wav" else [])]
    assert [file.name for file in WordFolder(tmp_path, batch).files(Path(clip))] == found

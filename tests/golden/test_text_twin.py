"""C and its twin make the same text of others' recordings, in every style and form."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.printfmt import Form, Style
from ftracepy.stream import Stream
from ftracepy.text import Formatter
from tests.support.corpus import ROOT
from tests.support.decoders import implementations

FILES = [
    one
    for name in ("xgraph-k7.2", "fgraph-k6.1-i386", "xfunc-k6.1", "stack_uk-k7.2", "mod_sample-k6.1", "net-k6.12", "xprobes-k7.2")
    for one in sorted(ROOT.glob(f"dat/*/{name}-tc*.dat"))
]

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)")


@pytest.mark.parametrize(
    ("style", "form"), [("trace-cmd", "text"), ("trace-cmd", "latency"), ("trace-cmd", "raw"), ("kernel", "text")]
)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_same_text(path: Path, style: Style, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for implementation in implementations():
        monkeypatch.setenv("FTRACEPY_TWIN", "0" if implementation == "_core" else "1")
        with recording.open(path) as source:
            formatter = Formatter(source.schema, style, form=form)
            texts.append(b"".join(formatter.lines(batch, more=True) for batch in Stream(source)) + formatter.rest())
    assert texts[0]
    assert all(text == texts[0] for text in texts)

"""Notes about the data become sentences of the report, with names as they are."""

import pytest

from fittingroom.tasks.scoring import note_sentence


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ("c200: 1,600 pictures of 200 classes", "c200: 1,600 pictures of 200 classes."),
        ("my pets: 20 pictures of 2 classes", "my pets: 20 pictures of 2 classes."),
        (
            "cat/a.gif has several frames: only the first is used",
            "cat/a.gif has several frames: only the first is used.",
        ),
        ("pictures of 24x24 pixels become 24x24 RGB", "Pictures of 24x24 pixels become 24x24 RGB."),
        ("no parts: 320 pictures drawn for the test part", "No parts: 320 pictures drawn for the test part."),
    ],
)
def test_names_keep_their_case(note: str, sentence: str) -> None:
    assert note_sentence(note, name=note.partition(":")[0] if "classes" in note else "pets") == sentence

"""The check of words finds each phrase of its list where people read it, and nowhere else."""

from pathlib import Path

import pytest

from tools.lint import words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        *(
            (text, 1)
            for text in ("Written anew.", "It runs for ever.", "The node is told.", "Who came late is refused.")
        ),
        *(
            (text, 0)
            for text in ("There is no user.", "It is no longer used.", "Who decides? A reviewer.", "Run `stands`.")
        ),
    ],
)
def test_the_phrases_of_the_list_are_found_and_no_others(text: str, count: int) -> None:
    assert len(list(words.findings(text))) == count


def test_comments_docstrings_and_help_texts_of_python_are_read(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""Made anew."""\n\nX = 1  # told\nparser.add(help="mends it")\nPATTERN = "anew"\n')
    lines = sorted(finding.split(":")[1] for finding in words.file_findings(path))
    assert lines == ["1", "3", "4"]


def test_code_in_markdown_is_not_read_and_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Page\n\n```sh\necho anew\n```\n\n`anew`\n\nanew\n")
    assert [finding.split(": ")[0] for finding in words.file_findings(path)] == [f"{path}:9"]

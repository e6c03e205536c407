"""The check of words finds a phrase of its list where people read it, and nowhere else."""

from pathlib import Path

from tools.lint import words


def test_what_people_read_is_checked_and_code_is_not(tmp_path: Path) -> None:
    module, page = tmp_path / "module.py", tmp_path / "page.md"
    module.write_text('"""Made anew."""\n\nX = 1  # told\nparser.add(help="mends it")\nPATTERN = "anew"\n')
    page.write_text("# Page\n\n```sh\necho anew\n```\n\n`anew`\n\nanew\n")
    assert sorted(finding.split(":")[1] for finding in words.file_findings(module)) == ["1", "3", "4"]
    assert [finding.split(": ")[0] for finding in words.file_findings(page)] == [f"{page}:9"]

"""What MkDocs does not do by itself: pages made of files at the root, and links from docs/ to files outside it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
AT_THE_ROOT = {
    "README.md": "index.md",
    "README.zh.md": "index.zh.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files at the root that are pages of the site, by the page's name."""
LINK = re.compile(r"(\]\()([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files at the root."""
    for source, page in AT_THE_ROOT.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their files are on the site; those that are not on it, to the repository."""
    sources = {page: source for source, page in AT_THE_ROOT.items()}
    here = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        if ":" in target:
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        return match[1] + _address(path, page.file.src_uri, config, files)

    return LINK.sub(moved, markdown)


def _address(path: str, src_uri: str, config: MkDocsConfig, files: Files) -> str:
    """Return the address of a file of the repository, as a page links to it."""
    on_site = AT_THE_ROOT.get(path, path.removeprefix("docs/"))
    if (path in AT_THE_ROOT or path.startswith("docs/")) and files.get_file_from_path(on_site):
        return posixpath.relpath(on_site, posixpath.dirname(src_uri) or ".")
    if not (ROOT / path).exists():
        return path  # MkDocs reports it
    return f"{config.repo_url}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}"

"""Tests of the page. A package, so that the browser is shared by these files and closed before others run."""

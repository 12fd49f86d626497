"""Sections as HTML, Markdown and LaTeX."""

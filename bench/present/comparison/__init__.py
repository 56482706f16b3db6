"""A comparison in words: text, Markdown and JSON."""

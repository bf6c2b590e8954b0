"""What the site of the documents knows beyond Markdown."""

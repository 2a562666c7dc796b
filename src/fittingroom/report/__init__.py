"""What a comparison found, for people: terminal table, Markdown table, one page of HTML. Imports no torch."""

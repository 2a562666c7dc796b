"""The result table for notebooks and scripts."""

from typing import Any

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import Summary


class Table:
    """The result table. Rows are dictionaries of formatted text."""

    def __init__(self, summary: Summary) -> None:
        from fittingroom.report.tables import headings, summary_rows

        self._summary = summary
        self.headings: dict[str, str] = {each.key: each.text for each in headings(summary)}
        self.rows: list[dict[str, str]] = summary_rows(summary)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        from fittingroom.report.tables import markdown_table

        return markdown_table(self._summary)

    def to_pandas(self) -> Any:
        """A pandas DataFrame of the same text. Raises FittingRoomError if pandas is not installed."""
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise FittingRoomError("to_pandas needs pandas: pip install pandas") from error
        return pandas.DataFrame([{text: row[key] for key, text in self.headings.items()} for row in self.rows])

    def _repr_html_(self) -> str:
        from fittingroom.report.tables import html_table

        return html_table(self._summary)

"""报告 what the report is made of: facts, pictures, one HTML page, one Markdown page."""

"""Reports that programs read: JUnit, Markdown, annotations, benchmark histories, spreadsheets."""

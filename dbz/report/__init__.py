"""What people see of a run, made from its record alone: terminal, HTML, JUnit, Markdown and CSV."""

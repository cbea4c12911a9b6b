"""`dbz events`: results counted again from their log, and sagas as definitions for Step Functions."""

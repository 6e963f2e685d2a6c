"""Self-contained HTML pages: templates filled safely, tables and figures, and the style that all reports share."""

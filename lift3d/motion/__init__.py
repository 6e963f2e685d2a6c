"""Motion as signals: filters and the filling of gaps."""

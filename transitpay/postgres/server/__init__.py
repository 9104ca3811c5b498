"""PostgreSQL itself: its programs, the embedded cluster, as whom it runs."""

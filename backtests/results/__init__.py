"""What a finished run says: metrics, answers, the summary and its text."""

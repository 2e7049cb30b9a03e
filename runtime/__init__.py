"""What a worker runs beside its requests: background tasks and buffered log lines."""

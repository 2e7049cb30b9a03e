"""What Tinyscim is measured against."""

"""The servers that Tinyscim is compared with."""

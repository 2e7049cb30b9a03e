"""The cells of a CSV file."""


def harmless(text: str) -> str:
    """Keep a spreadsheet from taking text that somebody provisioned for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

"""An emulator of Microsoft Entra ID's provisioning service, for any SCIM 2.0 endpoint: `python -m entra`."""
